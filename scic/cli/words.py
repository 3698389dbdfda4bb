"""Constants of the API as people say them."""


def word(constant: str, prefix: str) -> str:
    """`REASON_TOO_LARGE` without its prefix, in words: `too large`."""
    return constant.removeprefix(prefix).lower().replace("_", " ")
