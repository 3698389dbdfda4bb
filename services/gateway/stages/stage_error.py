"""A stage has no answer."""

from scic import errors


class StageError(Exception):
    """A stage is away, too slow, or failed by a bug of its own; a stand-in may answer in its place.

    What a stage says about the request or the corpus (a bad field, a corrupt corpus) is no StageError: it is raised
    as the ScicError that it is.
    """

    def __init__(self, stage: str, reason: str, *, answered: bool = False) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.answered = answered
        """Whether the stage itself said so: it is there, and what it stands on is away."""
        self.reason = reason
        """A reason of the error catalogue, such as STAGE_UNAVAILABLE."""


def unavailable(error: StageError) -> errors.ScicError:
    """What a caller is told where nothing can stand in for a stage."""
    return errors.STAGE_UNAVAILABLE.error(
        f"the {error.stage} does not answer", metadata={"stage": error.stage}, retry_after=1.0
    )
