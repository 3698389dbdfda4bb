"""What waits to be written stays in its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.ledger.queue import BATCH_BYTES, BATCH_RECORDS, QueuedRecord, RecordQueue
from services.gateway.ledger.viewer import Viewer

VIEWER = Viewer("key")


def queued(size: int) -> QueuedRecord:
    return QueuedRecord("acme", VIEWER, bytes(size))


@given(st.lists(st.one_of(st.integers(0, 60), st.none()), max_size=60))
def test_it_never_holds_more_than_it_may_and_gives_what_it_took_in_order(steps: list[int | None]) -> None:
    """A number offers a record of so many bytes, none takes a batch."""
    queue, held = RecordQueue(max_records=5, max_bytes=100), list[QueuedRecord]()
    for step in steps:
        if step is None:
            taken = queue.take()
            assert taken == held[: len(taken)]
            assert taken or not held
            del held[: len(taken)]
        else:
            record = queued(step)
            room = len(held) < 5 and sum(len(one.data) for one in held) + step <= 100
            assert queue.offer(record) is room
            if room:
                held.append(record)
        assert len(queue) == len(held)
        assert queue.size_bytes == sum(len(one.data) for one in held)


def test_a_batch_is_bounded_by_records_and_by_bytes() -> None:
    queue = RecordQueue()
    for _ in range(BATCH_RECORDS - 1):
        queue.offer(queued(1))
    fills = [queue.fills_batch]
    queue.offer(queued(1))
    fills.append(queue.fills_batch)
    assert fills == [False, True]
    queue.offer(queued(1))
    assert len(queue.take()) == BATCH_RECORDS
    for _ in range(3):
        queue.offer(queued(BATCH_BYTES // 2))
    assert queue.fills_batch
    assert [len(one.data) for one in queue.take()] == [1, BATCH_BYTES // 2, BATCH_BYTES // 2]


def test_a_record_larger_than_a_batch_goes_alone() -> None:
    queue = RecordQueue()
    queue.offer(queued(2 * BATCH_BYTES))
    queue.offer(queued(1))
    assert len(queue.take()) == 1
