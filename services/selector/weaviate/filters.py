"""Conditions of a query, as Weaviate reads them.

What is compared is a hash of a kind and a value: Weaviate trims what it indexes, and a value may be of any length.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from weaviate.proto.v1 import base_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.selector.caller import Caller
    from services.selector.query import Condition

Filters = base_pb2.Filters


@lru_cache(maxsize=1 << 16)
def token(kind: str, *parts: str) -> str:
    """128-bit hash, in hexadecimal digits, that stands for the parts; lengths keep (ab, c) and (a, bc) apart."""
    data = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(data.encode(), digest_size=16, person=kind.encode()).hexdigest()


PUBLIC: Final = token("public")
"""Stands among a document's groups where it has none."""


def group_tokens(groups: Iterable[str]) -> list[str]:
    """What is indexed of a document's groups."""
    return sorted(token("group", group) for group in groups) or [PUBLIC]


def visible(caller: Caller) -> Filters | None:
    """Holds for what a caller may see; None where that is everything."""
    if caller.sees_all:
        return None
    return any_of("groups", [PUBLIC, *(token("group", group) for group in caller.groups)])


def of_source(source: str) -> Filters:
    """Holds for what belongs to a source."""
    return any_of("source", [token("source", source)])


def meets(condition: Condition) -> Filters:
    """Holds where the metadata has one of the values."""
    # Weaviate refuses an empty list; this token is indexed nowhere.
    values = [token("facet", condition.key, value) for value in condition.any_of] or [token("nothing")]
    return any_of("facets", values)


def carries(key: str) -> Filters:
    """Holds where the metadata has the key."""
    return any_of("facets", [token("key", key)])


def any_of(name: str, values: Iterable[str]) -> Filters:
    """Holds where the property is, or has, one of these values."""
    return Filters(
        operator=Filters.OPERATOR_CONTAINS_ANY,
        target=base_pb2.FilterTarget(property=name),
        value_text_array=base_pb2.TextArray(values=values),
    )


def none_of(name: str, values: Iterable[str]) -> Filters:
    """Holds where the property is, or has, none of these values."""
    return Filters(
        operator=Filters.OPERATOR_CONTAINS_NONE,
        target=base_pb2.FilterTarget(property=name),
        value_text_array=base_pb2.TextArray(values=values),
    )


def above(name: str, value: str) -> Filters:
    """Holds where the text comes after the value."""
    return Filters(
        operator=Filters.OPERATOR_GREATER_THAN, target=base_pb2.FilterTarget(property=name), value_text=value
    )


def at_most(name: str, value: int) -> Filters:
    """Holds where the number is not above the value."""
    return Filters(
        operator=Filters.OPERATOR_LESS_THAN_EQUAL, target=base_pb2.FilterTarget(property=name), value_int=value
    )


def more_than(name: str, value: int) -> Filters:
    """Holds where the number is above the value."""
    return Filters(operator=Filters.OPERATOR_GREATER_THAN, target=base_pb2.FilterTarget(property=name), value_int=value)


def every(*filters: Filters | None) -> Filters | None:
    """Holds where all hold; a filter that is None holds always, and so does none at all."""
    given = [one for one in filters if one is not None]
    if len(given) < 2:  # noqa: PLR2004 - an AND of one is that one
        return given[0] if given else None
    return Filters(operator=Filters.OPERATOR_AND, filters=given)
