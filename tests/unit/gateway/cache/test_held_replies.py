"""Replies at hand: bounded in bytes and in time."""

from services.gateway.cache.held_replies import HeldReplies
from services.gateway.cache.stored_reply import StoredReply
from tests.waiting import eventually

A, B, OTHERS = ("acme", "a"), ("acme", "b"), ("other", "a")


def reply(size: int = 10) -> StoredReply:
    return StoredReply(b"s" * size, b"p" * size)


async def test_what_was_kept_is_at_hand_by_its_name_until_it_is_dropped() -> None:
    held = HeldReplies()
    held.keep(A, reply(), b"1")
    held.keep(OTHERS, reply(), b"2")
    assert [(name, found.tag) for name in (A, B, OTHERS) if (found := held.get(name))] == [(A, b"1"), (OTHERS, b"2")]
    held.keep(A, reply(), b"3")
    assert (found := held.get(A)) is not None
    assert found.tag == b"3"
    held.drop(A)
    held.drop(A)
    assert held.get(A) is None
    assert held.get(OTHERS) is not None


async def test_a_tenant_is_let_go_alone() -> None:
    held = HeldReplies()
    for name in (A, B, OTHERS):
        held.keep(name, reply(), b"1")
    held.drop_tenant("acme")
    assert [name for name in (A, B, OTHERS) if held.get(name)] == [OTHERS]


async def test_above_the_bound_those_go_that_were_used_longest_ago() -> None:
    held = HeldReplies(most_bytes=60)
    for name in (A, B, OTHERS, A):
        held.keep(name, reply(), b"1")
    held.keep(("acme", "c"), reply(), b"1")
    assert [name for name in (A, B, OTHERS) if held.get(name)] == [A, OTHERS]
    held.keep(B, reply(100), b"1")
    assert held.get(B) is None
    held.keep(B, reply(), b"1")
    assert held.get(B) is not None, "the bytes of what went are free again"


async def test_what_is_not_used_is_let_go_by_itself() -> None:
    held = HeldReplies(seconds=0.2)
    held.keep(A, reply(), b"1")
    held.keep(B, reply(), b"1")

    async def a_is_gone() -> bool:
        held.keep(B, reply(), b"1")
        return held.get(A) is None

    await eventually("what is not used goes", a_is_gone)
    assert held.get(B) is not None
    await eventually("the rest goes, too", lambda: held.get(B) is None)
