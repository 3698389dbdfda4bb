"""Contexts for callers: from the cache where that is right, else built, and each request recorded."""
