"""A passage of which something stands in the prompt, as the prompt and the reply show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import trust_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.guard.guard import Screen
from services.prompt.defuse import defuse_evidence, defuse_title


@dataclass(frozen=True, slots=True)
class Kept:
    """A candidate, what compression kept of it, and both as the guard leaves them."""

    candidate: Candidate
    outcome: compressor.CompressedPassage
    title_path: tuple[str, ...]
    text: str
    metadata: dict[str, str]

    def evidence_input(self) -> composer.EvidenceInput:
        """The passage as Compose takes it."""
        passage = self.candidate.passage
        return composer.EvidenceInput(
            title_path=self.title_path,
            source=passage.source,
            text=self.text,
            trust=passage.trust or trust_pb2.TRUST_LABEL_UNTRUSTED,
            document_id=passage.document_id,
            start=passage.span.start,
        )

    def evidence(self, citation: int, *, defused: bool) -> pb.Evidence:
        """The passage as the reply shows it; `defused`: the prompt has something defused, maybe of this passage."""
        passage, outcome = self.candidate.passage, self.outcome
        return pb.Evidence(
            citation=citation,
            passage_id=passage.passage_id,
            document_id=passage.document_id,
            source=passage.source,
            title_path=[defuse_title(t).text for t in self.title_path] if defused else self.title_path,
            text=defuse_evidence(self.text).text if defused else self.text,
            spans=self.candidate.document_spans(outcome.spans),
            score=self.candidate.score,
            fate=self._fate(),
            token_count=outcome.token_count,
            original_token_count=outcome.original_token_count,
            metadata=self.metadata,
            kept_pins=outcome.kept_pins,
            dropped_pins=outcome.dropped_pins,
            trust=passage.trust or trust_pb2.TRUST_LABEL_UNTRUSTED,
            content_hash=passage.content_hash,
        )

    def _fate(self) -> pb.Evidence.Fate.ValueType:
        if self.outcome.reason == compressor.CompressedPassage.REASON_SUMMARY:
            return pb.Evidence.FATE_SUMMARISED
        return pb.Evidence.FATE_WHOLE if self.candidate.covers(self.outcome.spans) else pb.Evidence.FATE_COMPRESSED


def kept(
    candidates: Sequence[Candidate], outcomes: Sequence[compressor.CompressedPassage], screen: Screen
) -> list[Kept]:
    """What was kept of the candidates, in their order."""
    return [
        Kept(
            candidate,
            outcome,
            tuple(screen.mask(title) for title in candidate.passage.title_path),
            screen.mask_kept(candidate.passage, outcome.spans, candidate.shown(outcome)),
            {key: screen.mask(value) for key, value in candidate.passage.metadata.items()},
        )
        for candidate, outcome in zip(candidates, outcomes, strict=True)
        if outcome.spans
    ]
