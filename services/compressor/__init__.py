"""The compressor: keeps of the passages what answers the question, inside a token budget."""
