"""How well each unit answers the question."""
