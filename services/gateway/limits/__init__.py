"""How much a tenant may ask, and how much a gateway takes on."""
