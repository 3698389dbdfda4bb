"""One computation for equal requests that come at the same time, over all gateways."""
