"""CompressText: one text, shortened to a size."""
