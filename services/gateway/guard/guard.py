"""Keeps personal data and secrets out of what a request shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from scic import errors
from scic.type.v1 import guard_pb2, passage_pb2, span_pb2
from services.chassis.logs import get_logger
from services.gateway.guard.cuts import cut_occurrences
from services.gateway.guard.detect import DetectorError, Detectors
from services.gateway.guard.occurrences import Occurrence, occurrences, select
from services.gateway.guard.policy import Action, GuardPolicy
from services.gateway.guard.pseudonyms import Pseudonyms, identity
from services.gateway.guard.scan import passage_text, read_scan
from services.gateway.guard.sensitive import Sensitive

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """Finds values and screens requests."""

    detectors: Detectors

    def screen(self, policy: GuardPolicy) -> "Screen":
        """A screen for one request under a policy."""
        return Screen(self.detectors, policy)

    def holds(self, policy: GuardPolicy, *texts: str) -> bool:
        """Whether texts hold something on which a policy acts. Raises ScicError GUARD_FAILED."""
        return policy.acts and any(
            policy.actions[value.type] is not Action.ALLOW for text in texts for value in _find(self.detectors, text)
        )


class Screen:
    """What one request may show. It learns values from the texts that come in, and masks the texts that go out.

    Where nothing is to be done, nothing is looked for. Where a detector fails, ScicError GUARD_FAILED is raised: what
    nobody could look at is not shown.
    """

    def __init__(self, detectors: Detectors, policy: GuardPolicy) -> None:
        self._detectors = detectors
        self._policy = policy
        self._values: dict[str, Sensitive] = {}
        self._pseudonyms = Pseudonyms()

    @property
    def acts(self) -> bool:
        """Whether the policy does anything at all."""
        return self._policy.acts

    @property
    def masks(self) -> bool:
        """Whether it has met something that must not be shown."""
        return bool(self._values)

    def holds(self, passage: passage_pb2.Passage) -> bool:
        """Whether a passage holds something that must not be shown, or may hold it, since nobody looked."""
        if not self._policy.acts:
            return False
        found = read_scan(passage.sensitive)
        return found is None or any(self._action(value) is not Action.ALLOW for value in found)

    def read(self, field: str, text: str) -> str:
        """A text of the request as it may go on: masked. `field` is its path in the request.

        Raises ScicError SENSITIVE_CONTENT where it holds something that the policy refuses.
        """
        if not self._policy.acts or not text:
            return text
        found = _find(self._detectors, text)
        refused = sorted({value.type.name for value in found if self._action(value) is Action.REFUSE})
        if refused:
            types = ", ".join(refused)
            raise errors.SENSITIVE_CONTENT.error(
                f"{field} holds what the profile refuses: {types}",
                metadata={"types": types},
                field_violations=[(field, f"must not hold {types}")],
            )
        self._learn(found, text)
        return self.mask(text)

    def admit(self, passage: passage_pb2.Passage) -> bool:
        """Whether a passage may enter the prompt. What it holds is masked from now on."""
        if not self._policy.acts:
            return True
        found: Sequence[Sensitive] | None = read_scan(passage.sensitive)
        parts = passage_text(passage.title_path, passage.text, passage.metadata)
        if found is None:
            found = _find(self._detectors, parts)
        self._learn(found, parts)
        return all(self._action(value) in {Action.ALLOW, Action.MASK} for value in found)

    def mask(self, text: str) -> str:
        """The text with pseudonyms for all values that were learnt so far and do not stay."""
        return self._replaced(text, list(occurrences(text, self._values.values())))

    def mask_kept(self, passage: passage_pb2.Passage, spans: Sequence[span_pb2.Span], text: str) -> str:
        """The same for what compression kept of a passage: `text`, of which `spans` say where it stood in the passage.

        What is left of a value that a border of a span cuts is masked too.
        """
        found = list(occurrences(text, self._values.values()))
        if text != passage.text:
            whole = list(occurrences(passage.text, self._values.values()))
            found += cut_occurrences(passage.text, whole, spans, text)
        return self._replaced(text, found)

    def counts(self) -> list[guard_pb2.SensitiveCount]:
        """How many different values were met of each type on which the policy acts."""
        met = {identity(value) for value in self._values.values()}
        return [
            guard_pb2.SensitiveCount(
                type=guard_pb2.SensitiveType.Value(f"SENSITIVE_TYPE_{kind.name}"),
                action=guard_pb2.GuardAction.Value(f"GUARD_ACTION_{self._policy.actions[kind].name}"),
                count=count,
            )
            for kind in self._policy.actions
            if (count := sum(1 for met_kind, _ in met if met_kind is kind))
        ]

    def pseudonyms(self) -> list[guard_pb2.Pseudonym]:
        """What stands for what, for a caller that may put the values back; empty where the policy does not say so."""
        return list(self._pseudonyms.restorable()) if self._policy.restore else []

    def _action(self, value: Sensitive) -> Action:
        return self._policy.actions[value.type]

    def _learn(self, found: Sequence[Sensitive], text: str) -> None:
        self._pseudonyms.note(text)
        for value in found:
            if self._action(value) is not Action.ALLOW:
                self._values.setdefault(value.text, value)

    def _replaced(self, text: str, found: list[Occurrence]) -> str:
        while found and (chosen := select(text, found, self._pseudonyms.places(text))):
            pieces, behind = [], 0
            for one in chosen:
                pieces += [text[behind : one.start], self._pseudonyms.of(one.value)]
                behind = one.end
            text = "".join([*pieces, text[behind:]])
            # A word that went on into what is masked now ends before it, so that it may be a value.
            found = list(occurrences(text, self._values.values()))
        return text


def _find(detectors: Detectors, text: str) -> list[Sensitive]:
    try:
        return detectors.find(text)
    except DetectorError as error:
        _log.error("guard_failed", detector=error.detector, error=error.cause)
        raise errors.GUARD_FAILED.error("personal data could not be looked for") from None
