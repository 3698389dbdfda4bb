"""The composer: writes the messages that an LLM gets, and counts every token of them."""
