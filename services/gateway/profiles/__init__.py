"""Profiles: immutable versions of recipes, and the labels that say which of them answers."""
