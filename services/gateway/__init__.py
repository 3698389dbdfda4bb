"""The gateway: the only public API; it orchestrates the three stages, keeps the cache and takes documents in."""
