"""How long a job waits between two attempts."""

from random import Random

BASE_SECONDS = 4.0
MAX_SECONDS = 60.0

BUSY_ATTEMPT = 3
"""Where a stage had too much to do, the pause is that after this attempt, however many there were."""


def pause(attempt: int, random: Random) -> float:
    """Seconds to wait after the attempt of this number, from 1: half to all of a bound that doubles each time.

    "Equal jitter": jobs that failed together do not come back together, and none comes back before what failed can
    have been started again (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    bound = min(MAX_SECONDS, BASE_SECONDS * 2 ** min(attempt - 1, 10))
    return random.uniform(bound / 2, bound)
