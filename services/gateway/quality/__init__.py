"""Quality figures of a context, from its text alone."""
