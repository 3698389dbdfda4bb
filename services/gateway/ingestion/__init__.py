"""Takes documents in: read, chunk, prepare, index, answer. Nothing is answered as indexed before it is durable."""
