"""Questions of uneven popularity, as callers ask them."""

import numpy as np

DISTINCT = 1_000
EXPONENT = 1.0


def asked(random: np.random.Generator, count: int) -> list[int]:
    """Numbers of `DISTINCT` questions, `count` of them drawn by Zipf's law; which are popular is chance."""
    weights = 1.0 / np.arange(1, DISTINCT + 1) ** EXPONENT
    popular = random.permutation(DISTINCT)
    drawn: list[int] = popular[random.choice(DISTINCT, count, p=weights / weights.sum())].tolist()
    return drawn
