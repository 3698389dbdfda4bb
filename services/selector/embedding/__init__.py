"""Vectors of questions and passages: the local model, remote ones, and which of them a corpus was made with."""
