"""A gateway under load, a module a figure; `python -m benchmarks.gateway` runs all, ../README.md has the method."""
