"""Redis, as the gateway speaks to it."""
