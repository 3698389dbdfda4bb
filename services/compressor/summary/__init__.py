"""Level heavy: a summary by an LLM in the place of the kept parts of a passage, where what it wrote can be verified."""
