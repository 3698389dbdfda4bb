"""Nouns by their number."""


def counted(count: int, one: str, many: str = "") -> str:
    """`1 passage`, `2 passages`; `many`: by default with an s."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
