"""How much a tenant may ask: requests and tokens in a window, counted over all gateways."""
