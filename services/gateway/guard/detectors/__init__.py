"""The detectors, one kind of value a file."""
