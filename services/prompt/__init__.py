"""What a prompt is made of: its parts in order, fences around evidence, and the exact tokens of all of it."""
