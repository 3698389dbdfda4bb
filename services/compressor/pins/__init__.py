"""The retention contract: numbers, dates, names, negations, URLs, code and citations are kept whole or not at all."""
