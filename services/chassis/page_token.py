"""Page tokens of listings in a fixed order: what the listing was asked for, and what was listed last."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


class ForeignPageTokenError(ValueError):
    """A token was not made by a listing that was asked for the same."""


def page_token(conditions: str, last: str) -> str:
    """The token of the page that follows `last`, a name without line ends."""
    return urlsafe_b64encode(f"{conditions}\n{last}".encode()).decode()


def last_listed(token: str, conditions: str) -> str:
    """What the page before ended with; empty for the first page. Raises ForeignPageTokenError."""
    if not token:
        return ""
    try:
        of_conditions, _, last = urlsafe_b64decode(token.encode()).decode().rpartition("\n")
    except ValueError as error:
        raise ForeignPageTokenError("the page token was not made by this listing") from error
    if of_conditions != conditions or not last:
        raise ForeignPageTokenError("the page token belongs to a listing with other parameters")
    return last
