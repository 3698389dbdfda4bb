"""Who goes first where not all can be served."""

from enum import IntEnum


class Priority(IntEnum):
    """The lower goes first. A caller's is that of its key; nothing in a request raises it."""

    HIGH = 0
    NORMAL = 1
    LOW = 2
    BATCH = 3
    """Jobs: nobody waits for them by the second, and they wait as long as it takes. No key has it."""

    @property
    def label(self) -> str:
        """As key files and metrics name it."""
        return self.name.lower()
