"""Requests with every default written out: what is to be done, before any work is."""
