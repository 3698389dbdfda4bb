"""The selector: stores passages and finds those that fit a question."""
