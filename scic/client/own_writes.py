"""What a client wrote itself is in what it reads."""


class OwnWrites:
    """The newest version of the corpus that a client's own writes made.

    A stored reply may miss documents that came in after it was made, for a minute or so. So that a client finds what it
    has written, its requests demand this version.
    """

    def __init__(self, *, demanded: bool) -> None:
        self._demanded = demanded
        self.version = 0
        """0 before the first write."""

    def note(self, version: int) -> None:
        """A write made a version; 0 is none. Writes may end in another order than their versions."""
        self.version = max(self.version, version)

    @property
    def demand(self) -> int:
        """The version that requests demand which do not say it themselves; 0: any."""
        return self.version if self._demanded else 0
