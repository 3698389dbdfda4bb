"""The language kit: terms, sentences, token counts and the sentence encoder. Imports no service."""
