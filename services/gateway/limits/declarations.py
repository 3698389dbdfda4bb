"""Rules as the settings declare them."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from services.gateway.callers.principal import TENANT_PATTERN
from services.gateway.limits.rule import ANY, SUBMIT, SUBMITTED_WORK, Rule, Rules

_MOST_RULES = 1000
_MOST_AT_ONCE = 16
"""Rules that may apply to one call: all are checked in one script, which must not hold Redis up."""


class LimitDeclarationError(ValueError):
    """Some rules are wrong; the message names each mistake by its path."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))


class _Declaration(BaseModel):
    """One rule as the JSON has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    tenant: str = Field(ANY, pattern=rf"^\*$|{TENANT_PATTERN.pattern}")
    method: str = ANY
    seconds: float = Field(ge=0.1, le=2_678_400)
    requests: int | None = Field(None, ge=1, le=1_000_000_000)
    tokens: int | None = Field(None, ge=1, le=1_000_000_000_000)
    shadow: bool = False
    when_away: Literal["open", "closed"] = "open"

    def rule(self) -> Rule:
        return Rule(
            name=self.name,
            seconds=self.seconds,
            tenant=self.tenant,
            method=self.method,
            requests=self.requests,
            tokens=self.tokens,
            shadow=self.shadow,
            closed=self.when_away == "closed",
        )


_DECLARATIONS = TypeAdapter(Annotated[list[_Declaration], Field(max_length=_MOST_RULES)])


def declared_limits(text: str, methods: Collection[str]) -> Rules:
    """The rules of a JSON list; `methods` are those that there are, such as `BuildContext`.

    Raises LimitDeclarationError, which names every mistake that can be told at once.
    """
    try:
        declarations = _DECLARATIONS.validate_json(text)
    except ValidationError as error:
        raise LimitDeclarationError([_sentence(details) for details in error.errors(include_url=False)]) from None
    rules = [declaration.rule() for declaration in declarations]
    if mistakes := [*_mistakes(rules, methods), *_mistakes_together(rules, methods)]:
        raise LimitDeclarationError(mistakes)
    return Rules(rules)


def _mistakes(rules: Sequence[Rule], methods: Collection[str]) -> Iterator[str]:
    seen: dict[tuple[str, str], int] = {}
    first: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if rule.requests is None and rule.tokens is None:
            yield f"{number}: neither requests nor tokens are limited"
        if rule.method != ANY and rule.method not in methods:
            near = difflib.get_close_matches(rule.method, methods, n=1)
            yield f"{number}.method: {rule.method[:64]!r} is no method" + (f"; did you mean {near[0]}?" if near else "")
        twin = seen.setdefault((rule.name, rule.tenant), number)
        if twin != number:
            yield f"{number}.name: {rule.name!r} for tenant {rule.tenant!r} stands at {twin}, too"
        one = rules[first.setdefault(rule.name, number)]
        if (one.method, one.seconds) != (rule.method, rule.seconds):
            yield (
                f"{number}: rules with one name stand for each other, so {rule.name!r} must have the method and seconds"
                f" that it has at {first[rule.name]}: {one.method}, {one.seconds:g}"
            )


def _mistakes_together(rules: Sequence[Rule], methods: Collection[str]) -> Iterator[str]:
    declared = Rules(rules)
    calls = [(method,) for method in methods] + [(SUBMIT, work) for work in SUBMITTED_WORK.values()]
    for tenant in sorted({rule.tenant for rule in rules}):
        most = max(len(declared.of(tenant, *call)) for call in calls)
        if most > _MOST_AT_ONCE:
            yield f"{most} rules apply to one method for tenant {tenant!r}: {_MOST_AT_ONCE} at most"


def _sentence(details: Any) -> str:
    where = ".".join(str(part) for part in details["loc"]) or "the value"
    return f"{where}: {details['msg']}"
