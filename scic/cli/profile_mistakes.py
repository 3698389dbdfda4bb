"""All that is wrong with a recipe, as far as the server can say."""

import re
from collections.abc import Sequence
from typing import Any

from scic import errors
from scic.cli.field_words import in_words
from scic.cli.profile_paths import path_in_file
from scic.client.profile_methods import ProfileMethods
from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb

Mistake = tuple[str, str]
"""A path in the file, and what is expected there."""

_STAND_IN = "checked"
"""A name for what has no sound one, so that the rest of it can be checked; nothing is stored."""

_STEP = re.compile(r"(\w+)(?:\[([0-9]+)\])?")


async def further_mistakes(
    client: ProfileMethods, name: str, profile: pb.Profile, known: Sequence[Mistake]
) -> list[Mistake]:
    """What the server finds wrong with a recipe beyond what is known; nothing is stored.

    The server looks at what fields mean only where all have the right form, so it is asked again without those at
    fault, until it finds nothing new. Raises ScicError for a check that fails otherwise.
    """
    left = pb.Profile()
    left.CopyFrom(profile)
    found: dict[str, str] = {}
    asked = None
    name = name or _STAND_IN
    while asked != (name, left.SerializeToString(deterministic=True)):
        asked = name, left.SerializeToString(deterministic=True)
        try:
            await client.publish_profile(name, left, dry_run=True)
        except ScicError as error:
            if error.reason != errors.INVALID_FIELD.name:
                raise
            for field, expectation in error.field_violations:
                path = path_in_file(field, profile)
                if field == "name":
                    name = _STAND_IN
                else:
                    _clear(left, field, whole=path in found)
                found.setdefault(path, in_words(expectation))
    faulty = [path for path, _ in known]
    return [(path, expectation) for path, expectation in found.items() if not _within(path, faulty)]


def _clear(profile: pb.Profile, field: str, *, whole: bool) -> None:
    """Takes out a field that a refusal names: a name gets a stand-in, since it must be set.

    Where that did not help, the `whole` field of the recipe goes that it is in.
    """
    steps = _STEP.findall(field.removeprefix("profile."))
    *way, (last, _) = steps[:1] if whole else steps
    message: Any = profile
    for step, index in way:
        message = getattr(message, step)
        message = message[int(index)] if index else message
    if last == "name":
        message.name = f"{_STAND_IN}-{'-'.join(index for _, index in way)}"
    else:
        message.ClearField(last)


def _within(path: str, others: Sequence[str]) -> bool:
    """Whether a path is one of others or below one: what could not be read is missing only therefore."""
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in others)
