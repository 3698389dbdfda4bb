"""Documents in and out of a whole mesh, and the wall between tenants."""

import re

import grpc
import pytest

from scic import Client, ScicError, errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from tests.mesh.conftest import Mesh, ingested
from tests.mesh.corpus import DOCUMENTS, MARKDOWN, TEXTS, document, evidence_text

pytestmark = pytest.mark.asyncio(loop_scope="session")

INDEXED = pb.IngestDocumentsResponse.OUTCOME_INDEXED
UNCHANGED = pb.IngestDocumentsResponse.OUTCOME_UNCHANGED
FAILED = pb.IngestDocumentsResponse.OUTCOME_FAILED
QUESTION = "How many grams of fish does a heron eat a day?"


async def listed(client: Client, **options: object) -> list[str]:
    return [record.document_id async for record in client.list_documents(**options)]  # type: ignore[arg-type]  # of the table


async def deleted(client: Client, *document_ids: str) -> list[str]:
    return list((await client.delete_documents(document_ids)).deleted_document_ids)


async def found(client: Client, question: str = QUESTION) -> set[str]:
    """Documents that stand in a context."""
    return {item.document_id for item in (await client.build_context(question, max_tokens=2000)).evidence}


async def test_records_say_what_was_sent(library: Client) -> None:
    for sent in DOCUMENTS:
        record = await library.get_document(sent.document_id)
        assert record.document_id == sent.document_id
        assert record.content_type == sent.content_type
        assert record.size_bytes == len(sent.content)
        assert re.fullmatch("[0-9a-f]{64}", record.content_hash)
        assert dict(record.metadata) == dict(sent.metadata)
        assert record.passage_count >= 1
        assert record.index_time.ToSeconds() > 0


@pytest.mark.parametrize(
    ("document_id", "source", "title"),
    [
        ("notes/herons.md", "docs", "Herons of the delta"),
        ("notes/lighthouse.txt", "docs", "notes/lighthouse.txt"),
        ("web/amber.html", "docs", "Amber works"),
        ("src/tides.py", "code", "src/tides.py"),
        ("chat/ferry.jsonl", "history", "chat/ferry.jsonl"),
    ],
)
async def test_source_and_title_follow_from_the_content(
    library: Client, document_id: str, source: str, title: str
) -> None:
    record = await library.get_document(document_id)
    assert (record.source, record.title) == (source, title)


@pytest.mark.parametrize("page_size", [0, 1, 2, 5, 1000])
async def test_records_are_listed_in_the_order_of_their_ids(library: Client, page_size: int) -> None:
    assert await listed(library, page_size=page_size) == sorted(TEXTS)


async def test_records_are_listed_by_source(library: Client) -> None:
    assert await listed(library, source="code") == ["src/tides.py"]
    with pytest.raises(ScicError) as caught:
        await listed(library, source="mail")
    assert caught.value.reason == "UNKNOWN_SOURCE"


async def test_what_is_sent_again_is_recognised_and_what_changed_replaces_it(client: Client) -> None:
    assert (await ingested(client, DOCUMENTS))["notes/herons.md"].outcome == INDEXED
    again = await ingested(client, DOCUMENTS)
    assert {result.outcome for result in again.values()} == {UNCHANGED}

    changed = MARKDOWN.replace("300 grams", "411 grams")
    results = await ingested(client, [document("notes/herons.md", changed, team="birds", year="2019")])
    assert results["notes/herons.md"].outcome == INDEXED
    built = await client.build_context(QUESTION, max_tokens=2000)
    prompt = "".join(message.content for message in built.messages)
    assert "411 grams" in prompt
    assert "300 grams" not in prompt


async def test_the_same_document_twice_in_a_stream_the_later_one_wins(client: Client) -> None:
    documents = [document("a.md", f"The count of herons is {number}.") for number in (17, 18, 19)]
    results = [result async for result in client.ingest_documents(documents)]
    assert [result.outcome for result in results] == [INDEXED] * 3
    built = await client.build_context("What is the count of herons?", max_tokens=500)
    assert [item.text for item in built.evidence] == ["The count of herons is 19."]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(document("bad.md", b"caf\xe9"), "BROKEN_ENCODING", id="broken UTF-8"),
        pytest.param(document("bad.md", b""), "EMPTY_DOCUMENT", id="0 bytes"),
        pytest.param(document("bad.md", " \n\t\n"), "EMPTY_DOCUMENT", id="white space"),
        pytest.param(document("bad.md", "a\0b"), "BINARY_CONTENT", id="NUL"),
        pytest.param(
            document("bad.json", "{}", content_type="application/json"), "UNSUPPORTED_CONTENT_TYPE", id="type"
        ),
        pytest.param(document("bad.pdf", "x", content_type="application/pdf"), "UNREADABLE_DOCUMENT", id="broken PDF"),
        pytest.param(document("bad.jsonl", "no JSON"), "MALFORMED_CONVERSATION", id="conversation"),
        pytest.param(document("bad\n.md", "text"), "INVALID_FIELD", id="name with a control character"),
        pytest.param(document("b" * 257 + ".md", "text"), "INVALID_FIELD", id="name too long"),
        pytest.param(document("", "text", content_type="text/plain"), "INVALID_FIELD", id="no name"),
        pytest.param(document("bad.md", "text", **{"a b": "c"}), "INVALID_FIELD", id="metadata"),
        pytest.param(document("bad.md", b"x" * (4 << 20) + b"x"), "INVALID_FIELD", id="over the size limit"),
    ],
)
async def test_a_bad_document_is_named_and_the_rest_goes_in(client: Client, bad: pb.DocumentInput, reason: str) -> None:
    results = await ingested(client, [document("before.md", "One."), bad, document("after.md", "Two.")])
    assert results[bad.document_id].outcome == FAILED
    assert errors.from_status(results[bad.document_id].error).reason == reason
    assert [results[name].outcome for name in ("before.md", "after.md")] == [INDEXED, INDEXED]
    assert await listed(client) == ["after.md", "before.md"]


async def test_a_bad_document_leaves_what_was_stored_under_its_name(client: Client) -> None:
    await ingested(client, [document("a.md", "The heron eats 300 grams of fish.")])
    assert (await ingested(client, [document("a.md", b"\xff")]))["a.md"].outcome == FAILED
    assert await found(client) == {"a.md"}


async def test_what_is_deleted_vanishes(client: Client) -> None:
    await ingested(client, DOCUMENTS)
    assert "notes/herons.md" in await found(client)
    assert await deleted(client, "notes/herons.md", "nowhere.md") == ["notes/herons.md"]
    assert "notes/herons.md" not in await found(client)
    assert await listed(client) == sorted(TEXTS.keys() - {"notes/herons.md"})
    with pytest.raises(ScicError) as caught:
        await client.get_document("notes/herons.md")
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND")
    assert await deleted(client, "notes/herons.md") == []


async def test_a_tenant_is_a_wall(mesh: Mesh, library: Client, client: Client) -> None:
    """`client` belongs to a tenant that has nothing, `library` to one that has everything."""
    assert "notes/herons.md" in await found(library)
    assert await found(client) == set()
    assert await listed(client) == []
    with pytest.raises(ScicError) as foreign:
        await client.get_document("notes/herons.md")
    with pytest.raises(ScicError) as absent:
        await client.get_document("notes/herons-2.md")
    assert foreign.value.reason == absent.value.reason == "DOCUMENT_NOT_FOUND"
    assert foreign.value.message.replace("herons", "herons-2") == absent.value.message, "they must look the same"
    assert await deleted(client, *TEXTS) == []
    assert await listed(library) == sorted(TEXTS)
    assert "notes/herons.md" in await found(library)


async def test_tenants_may_use_the_same_name_and_the_same_question(library: Client, client: Client) -> None:
    ours = await ingested(client, [document("notes/herons.md", "# Ours\n\nA heron eats 77 grams of fish a day.")])
    assert ours["notes/herons.md"].outcome == INDEXED
    for _ in range(3):  # the later ones from the cache
        mine = await client.build_context(QUESTION, max_tokens=2000)
        theirs = await library.build_context(QUESTION, max_tokens=2000)
        assert "77 grams" in evidence_text(mine)
        assert "300 grams" not in evidence_text(mine)
        assert "300 grams" in evidence_text(theirs)
        assert "77 grams" not in evidence_text(theirs)
