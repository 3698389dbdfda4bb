"""How a context is built: select, compress, compose, in the time there is, and what stands in."""
