"""The oracle of documents that change."""

import pytest

from benchmarks.corpus import CorpusError
from benchmarks.gateway.editions import DELETED, Editions, key_of, marks, reworded
from scic.gateway.v1.context_service_pb2 import BuildContextResponse, DroppedPassage, Evidence
from scic.type.v1.message_pb2 import Message


def editions(count: int = 3) -> Editions:
    return Editions([f"The sentence number {number} says a thing of its own." for number in range(count * 4)], count)


def reply_for(
    made: Editions, number: int, *, shows: dict[int, int], question: str | None = None
) -> BuildContextResponse:
    """A reply that shows documents in these editions, the asked one among its evidence or not."""
    texts = [f"{key_of(n)}: something ({key_of(n)}ed{edition})." for n, edition in shows.items()]
    asked = made.question(number) if question is None else question
    return BuildContextResponse(
        messages=[Message(content=text) for text in (*texts, asked)],
        evidence=[
            Evidence(document_id=key_of(n), title_path=[f"{key_of(n)} {key_of(n)}ed{e}"]) for n, e in shows.items()
        ],
    )


def test_every_part_of_a_document_carries_its_edition() -> None:
    made = editions()
    made.begin(1)
    document = made.document(1)
    assert document.title.endswith("entry0001ed1")
    sentences = document.content.decode().split(". ")
    assert len(sentences) == 4
    assert all("(entry0001ed1)" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("acknowledged", "shown", "stale"),
    [
        pytest.param(0, 0, False, id="never changed"),
        pytest.param(1, 0, True, id="older than acknowledged"),
        pytest.param(1, 1, False, id="the acknowledged one"),
        pytest.param(1, 2, False, id="newer, not yet acknowledged"),
        pytest.param(DELETED, 5, True, id="deleted"),
    ],
)
def test_a_reply_is_stale_when_it_shows_less_than_was_acknowledged(acknowledged: int, shown: int, stale: bool) -> None:
    made = editions()
    reply = reply_for(made, 0, shows={0: 0, 2: shown})
    assert made.stale(reply, [0, 0, acknowledged]) == ({"entry0002"} if stale else set())


def test_a_document_that_was_left_out_counts_as_shown() -> None:
    made = editions()
    reply = BuildContextResponse(dropped=[DroppedPassage(title_path=["entry0001 entry0001ed0"])])
    assert list(marks(reply)) == [("entry0001", 0)]
    assert made.stale(reply, [0, 1, 0]) == {"entry0001"}


def test_what_is_sent_is_not_yet_acknowledged() -> None:
    made = editions()
    known = list(made.acknowledged)
    made.begin(0)
    assert made.acknowledged == known == [0, 0, 0]
    made.acknowledge(0)
    assert made.acknowledged == [1, 0, 0]


@pytest.mark.parametrize(
    ("shows", "question", "wrong"),
    [
        pytest.param({0: 0, 1: 0}, None, False, id="its own document among others"),
        pytest.param({1: 0}, None, True, id="without its own document"),
        pytest.param({0: 0}, "What does entry0001 say about: something?", True, id="another question"),
    ],
)
def test_a_reply_is_wrong_when_it_is_anothers(shows: dict[int, int], question: str | None, wrong: bool) -> None:
    made = editions()
    assert made.is_wrong(reply_for(made, 0, shows=shows, question=question), 0, made.question(0)) is wrong


def test_a_deleted_document_need_not_be_found() -> None:
    made = editions()
    made.begin(0, DELETED)
    assert not made.is_wrong(reply_for(made, 0, shows={1: 0}), 0, made.question(0))


def test_rewording_keeps_what_is_asked() -> None:
    made = editions()
    question = made.question(1)
    forms = [reworded(question, form) for form in range(3)]
    assert len({question, *forms}) == 4
    assert all("entry0001" in form for form in forms)
    assert " ".join(forms[0].split()) == question
    assert not made.is_wrong(reply_for(made, 1, shows={1: 0}, question=question), 1, forms[0])


def test_documents_need_sentences_that_are_all_different() -> None:
    with pytest.raises(CorpusError, match="8 sentences"):
        Editions(["one"] * 7, 2)
