"""A profile: the recipe that a request follows where it does not say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType

from scic.type.v1 import prompt_pb2
from services.gateway.guard.policy import GuardPolicy
from services.gateway.sources.source import BUILT_IN, Sources
from services.prompt.fixed import PASSAGE_TOKENS

_INSTRUCTIONS = (
    "Answer the question from the numbered passages. Cite each passage you use by its number, as in [1]. "
    "If they do not hold the answer, say so."
)

_SOURCE_SHARE = 0.25
_SOURCE_SHARES = MappingProxyType({"docs": 0.5})

_PASSAGE_TOKENS = 170
"""Tokens of a typical passage, title included."""

_FEWEST, _MOST = 8, 100
"""Bounds for the candidates of one source: a small budget needs a choice too."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything a request needs that callers seldom want to say."""

    name: str

    instructions: str
    """What the system message says. It stands first and never changes, so providers' prompt caches keep hitting."""

    model: str
    """The model whose encoding counts where the request names none."""

    sources: Sources
    """All that are known. A request that names none searches those that are declared so."""

    source_shares: Mapping[str, float] = field(default_factory=lambda: _SOURCE_SHARES)
    """Each source's part of the candidates, a quarter where it does not stand here."""

    candidate_factor: float = 2.0
    """How many times the tokens that fit the candidates should hold: enough to choose from, not more."""

    conversation_share: float = 0.5
    """Part of the budget, after instructions and question, that conversation turns may take."""

    passage_overhead: int = PASSAGE_TOKENS
    """Tokens the prompt may spend on a passage besides titles and text: its number, its source and separators."""

    gap: str = " … "
    """Shown where text between two kept spans of a passage was left out."""

    version: str = ""
    """Hash of the recipe that was published; empty for the built-in profile."""

    encoding: str = ""
    """The encoding that counts; empty: that of the model."""

    format: prompt_pb2.PromptFormat.ValueType = prompt_pb2.PROMPT_FORMAT_OPENAI
    """The provider's format whose tokens are counted."""

    max_tokens: int = 0
    """Bound for all tokens where the request names none; 0: every request has to name one."""

    reserved_output_tokens: int = 0
    """Tokens kept free for the answer where the request does not say."""

    tools: tuple[prompt_pb2.Tool, ...] = field(default=(), repr=False)
    """Functions that the model may call."""

    examples: tuple[prompt_pb2.Example, ...] = field(default=(), repr=False)
    """Questions with the answers that are wanted. A profile that has tools or examples has a version, which stands for
    them where profiles are compared."""

    order: prompt_pb2.EvidenceOrder.ValueType = prompt_pb2.EVIDENCE_ORDER_BY_SCORE
    """The order of the evidence."""

    guard: GuardPolicy = field(default_factory=GuardPolicy)
    """What is done with personal data and secrets."""

    source_limits: Mapping[str, int] = field(default_factory=dict)
    """Passages to take from a source at most, where that does not grow with the budget."""

    pin_patterns: tuple[str, ...] = ()
    """RE2 patterns of what compression must not maim, besides numbers, names, negations and the like."""

    deadline_seconds: float | None = None
    """How long a request may take that sets no deadline; None: the server's default."""

    def source_limit(self, source: str, evidence_tokens: int) -> int:
        """Passages to take from a source where a request does not say: it grows with the tokens there are to fill."""
        if limit := self.source_limits.get(source):
            return limit
        candidates = self.candidate_factor * evidence_tokens / _PASSAGE_TOKENS
        return min(max(ceil(candidates * self.source_shares.get(source, _SOURCE_SHARE)), _FEWEST), _MOST)


def default_profile(model: str, sources: Sources = BUILT_IN, pin_patterns: tuple[str, ...] = ()) -> Profile:
    """The profile that a request follows where it names none."""
    return Profile(name="default", instructions=_INSTRUCTIONS, model=model, sources=sources, pin_patterns=pin_patterns)
