"""How long a job waits between two attempts."""

from random import Random

BASE_SECONDS = 1.0
MAX_SECONDS = 60.0


def pause(attempt: int, random: Random) -> float:
    """Seconds to wait after the attempt of this number, from 1: anything up to a bound that doubles each time.

    Full jitter: jobs that failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    return random.uniform(0, min(MAX_SECONDS, BASE_SECONDS * 2 ** min(attempt - 1, 10)))
