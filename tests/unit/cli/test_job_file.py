"""Files of requests: what people may write, and what is refused and how; and what is too much for one job."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st

from scic import ScicError
from scic.cli.job_batches import MAX_BYTES, MAX_ITEMS, batches
from scic.cli.job_file import read_requests
from scic.client import Turn, context_request
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2

FULL = context_request(
    "Why?",
    max_tokens=100,
    sources={"docs": 3},
    filters={"team": ["a"]},
    conversation=[Turn("user", "Hi")],
    passages=["text"],
    render="openai",
    cache="refresh",
    max_age=60,
)


@pytest.mark.parametrize(
    ("text", "file", "questions", "items"),
    [
        pytest.param(
            "a\n\n b \n", "q", True, [("line 1", {"question": "a"}), ("line 3", {"question": "b"})], id="questions"
        ),
        pytest.param(
            "a\u2028b\n", "q.yaml", True, [("line 1", {"question": "a\u2028b"})], id="a line end that is none, in .yaml"
        ),
        pytest.param(
            '{"question": "a", "max_tokens": 5}\n\n{"question": "b", "max_tokens": 6}\n',
            "-",
            False,
            [("line 1", {"question": "a", "max_tokens": 5}), ("line 3", {"question": "b", "max_tokens": 6})],
            id="JSON lines",
        ),
        pytest.param(
            "- question: a\n- {question: b, profile: support}\n",
            "q.YML",
            False,
            [("item 1", {"question": "a"}), ("item 2", {"question": "b", "profile": "support"})],
            id="YAML",
        ),
        pytest.param(
            '{"sources": ["docs", "code:5", {"name": "history"}]}',
            "-",
            False,
            [("line 1", {"sources": [{"name": "docs"}, {"name": "code", "limit": 5}, {"name": "history"}]})],
            id="sources by their names alone",
        ),
        pytest.param("", "q", False, [], id="nothing"),
    ],
)
def test_requests_are_read(text: str, file: str, questions: bool, items: list[tuple[str, dict[str, Any]]]) -> None:
    found = read_requests(text, file, questions=questions)
    assert found.mistakes == []
    assert found.items == [(place, pb.BuildContextRequest(**fields)) for place, fields in items]


def test_what_the_ledger_prints_of_a_request_can_be_submitted_again() -> None:
    line = MessageToJson(FULL, indent=None, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    assert read_requests(line, "-", questions=False).items == [("line 1", FULL)]


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        (
            "Why?",
            "line 1",
            'must be a request in JSON, such as {"question": "Why?"}; of plain questions, one a line, say --questions',
        ),
        ("[]", "line 1", "must be a request in JSON, "),
        ("[" * 100_000, "line 1", "must be a request in JSON, "),
        ('{"qestion": "a"}', "line 1: qestion", "is not known; did you mean question?"),
        ('{"maxTokens": 5}', "line 1: maxTokens", "is not known; did you mean max_tokens?"),
        ('{"zzz": "a"}', "line 1: zzz", "is not known; there are: question, max_tokens, "),
        ('{"question": 1}', "line 1: question", "expected string "),
        ('{"sources": [{"nme": "docs"}]}', "line 1: sources[0]", "has no field nme"),
        ('{"sources": "docs"}', "line 1: sources", "must be a list"),
        ('{"sources": [5]}', "line 1: sources", "must be an object with named fields"),
        ('{"max_tokens": "many"}', "line 1: max_tokens", "must be a whole number"),
        ('{"max_tokens": 1.5}', "line 1: max_tokens", "must be a whole number"),
        ('{"cache": {"mode": "X"}}', "line 1: cache.mode", "Invalid enum value X "),
        ('{"cache": {"max_age": 5}}', "line 1: cache.max_age", "Duration JSON value not a string: 5"),
        ('{"max_tokens": 99999999999}', "line 1: max_tokens", "Value out of range: 99999999999"),
        ('{"question": "\\ud800"}', "line 1: question", "Unpaired surrogate"),
    ],
    ids=lambda value: value[:30],
)
def test_a_mistake_is_named_by_its_place(line: str, place: str, said: str) -> None:
    found = read_requests(f'{line}\n{{"question": "sound"}}\n', "-", questions=False)
    ((where, sentence),) = found.mistakes
    assert where == place
    assert sentence.startswith(said)
    assert [item.place for item in found.items] == ["line 2"]


def test_yaml_that_is_no_list_is_refused() -> None:
    assert read_requests("question: a", "q.yaml", questions=False).mistakes == [
        ("q.yaml", "must be a list of requests")
    ]
    with pytest.raises(ScicError, match=r"^q\.yaml: line 1, column 7: "):
        read_requests("- a: [", "q.yaml", questions=False)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0, 100, MAX_BYTES // 3, MAX_BYTES]), max_size=12))
async def test_batches_hold_everything_in_order_and_fit_a_job(sizes: list[int]) -> None:
    requests = [pb.BuildContextRequest(question="x" * size, max_tokens=number) for number, size in enumerate(sizes, 1)]
    found = [batch async for batch in batches(_each(requests))]
    assert [request for batch in found for request in batch] == requests
    for batch in found:
        assert len(batch) == 1 or job_service_pb2.ContextBatch(requests=batch).ByteSize() <= MAX_BYTES
    for one, following in pairwise(found):
        both = job_service_pb2.ContextBatch(requests=[*one, following[0]])
        assert both.ByteSize() > MAX_BYTES - 5 * len(both.requests), "there was room for more"


@pytest.mark.parametrize("count", [MAX_ITEMS, MAX_ITEMS + 1])
async def test_a_batch_holds_so_many(count: int) -> None:
    found = [len(batch) async for batch in batches(_each([pb.BuildContextRequest()] * count))]
    assert found == [MAX_ITEMS, *([1] if count > MAX_ITEMS else [])]


async def _each(requests: list[pb.BuildContextRequest]) -> AsyncIterator[pb.BuildContextRequest]:
    for request in requests:
        yield request
