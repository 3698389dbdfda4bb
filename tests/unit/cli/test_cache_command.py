"""`scic cache`, and what `scic context` says of the cache and asks of it."""

import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from scic import errors
from scic.cli.show_cache import cache_words
from scic.cli.show_compression import show_degradation
from scic.gateway.v1 import cache_pb2, cache_service_pb2
from scic.gateway.v1 import context_service_pb2 as context
from scic.type.v1 import degradation_pb2
from tests.unit.cli.command import Done, Run
from tests.unit.cli.job_server import Server, moment
from tests.unit.cli.screen import shown

Report = cache_pb2.CacheReport


@pytest.mark.parametrize(
    ("status", "report", "words"),
    [
        ("HIT", Report(tier=cache_pb2.CACHE_TIER_EXACT, age=Duration(seconds=12)), "hit (exact), 12 s old"),
        ("HIT", Report(tier=cache_pb2.CACHE_TIER_SEMANTIC, age=Duration(seconds=600)), "hit (semantic), 10 min old"),
        ("SHARED", Report(), "shared"),
        ("MISS", Report(), "miss"),
        ("MISS", Report(not_stored=Report.NOT_STORED_DEGRADED), "miss, not kept: degraded"),
        ("MISS", Report(not_stored=Report.NOT_STORED_THIN), "miss, not kept: nothing found that answers"),
        ("MISS", Report(not_stored=Report.NOT_STORED_PERSONAL), "miss, not kept: holds personal data"),
        ("BYPASSED", Report(not_stored=Report.NOT_STORED_TIME_SENSITIVE), "bypassed, not kept: time-sensitive"),
        ("BYPASSED", Report(not_stored=Report.NOT_STORED_DIRECTIVE), "bypassed, not kept: as the request said"),
        ("BYPASSED", Report(), "bypassed"),
        ("MISS", Report(not_stored=Report.NOT_STORED_UNAVAILABLE), "miss, not kept: no cache answers"),
        ("UNAVAILABLE", Report(not_stored=Report.NOT_STORED_UNAVAILABLE), "unavailable"),
        ("MISS", Report(not_stored=99), "miss, not kept: for a reason that this version does not know"),  # type: ignore[arg-type]
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_cache_did_is_said_in_words(status: str, report: Report, words: str) -> None:
    reply = context.BuildContextResponse(cache=context.CacheStatus.Value(f"CACHE_STATUS_{status}"), cache_report=report)
    assert cache_words(reply) == words


def test_every_reason_has_words() -> None:
    for reason in Report.NotStored.values()[1:]:
        reply = context.BuildContextResponse(cache_report=Report(not_stored=reason))
        assert "does not know" not in cache_words(reply)


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        ("", "degraded compress: whole passages instead (DEADLINE_EXCEEDED)\n"),
        ("fewer of them fit", "degraded compress: whole passages instead; fewer of them fit (DEADLINE_EXCEEDED)\n"),
    ],
    ids=["free", "at a cost"],
)
def test_a_degradation_says_what_it_cost(cost: str, line: str) -> None:
    degradation = degradation_pb2.Degradation(
        stage=degradation_pb2.STAGE_COMPRESS, reason="DEADLINE_EXCEEDED", detail="whole passages instead", cost=cost
    )
    assert shown(show_degradation, degradation) == line


STATS = cache_service_pb2.GetCacheStatsResponse(
    entry_count=12,
    size_bytes=1_200_000,
    max_bytes=64_000_000,
    tiers=[
        cache_service_pb2.CacheTierStats(tier=cache_pb2.CACHE_TIER_EXACT, hit_count=60),
        cache_service_pb2.CacheTierStats(tier=cache_pb2.CACHE_TIER_SEMANTIC, hit_count=3),
    ],
    miss_count=37,
    stale_count=4,
    evicted_count=1,
    start_time=moment(0),
)


def test_stats_are_counts_and_shares(server: Server, scic: Run) -> None:
    server.stats = STATS
    assert [" ".join(line.split()) for line in scic("cache", "stats").out.splitlines()] == [
        "kept 12 1.2 MB of 64.0 MB",
        "hits 63 63.0% of 100 requests",
        "exact 60",
        "semantic 3",
        "misses 37",
        "stale 4 found dead: a document that they name had changed",
        "evicted 1 went to make room",
        "counted since 2026-03-01T12:00:00Z",
    ]
    assert json.loads(scic("cache", "stats", "--json").out)["miss_count"] == "37"


def test_stats_of_an_unused_cache(scic: Run) -> None:
    lines = [" ".join(line.split()) for line in scic("cache", "stats").out.splitlines()]
    assert lines[:2] == ["kept 0 0 bytes of 0 bytes", "hits 0 no requests yet"]


def test_a_flush_names_the_tenant(server: Server, scic: Run) -> None:
    server.stats = STATS
    assert scic("cache", "flush", "--tenant", "acme", "--yes") == Done(0, "12 entries removed\n", "")
    assert server.seen == [cache_service_pb2.FlushCacheRequest(tenant="acme")]


@pytest.mark.parametrize(
    ("said", "flushed"), [("y\n", True), ("n\n", False), ("", False)], ids=["yes", "no", "nothing"]
)
def test_a_flush_is_asked_about(
    server: Server, scic: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, said: str, flushed: bool
) -> None:
    (tmp_path / "said").write_text(said, encoding="utf-8")
    with (tmp_path / "said").open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        done = scic("cache", "flush", "--tenant", "acme")
    assert "Empty the cache of the tenant 'acme'? All is computed anew then. [y/N]" in done.err
    assert (done.code == 0, bool(server.seen)) == (flushed, flushed)


@pytest.mark.parametrize(
    ("failure", "arguments", "sentence"),
    [
        pytest.param(None, ("flush",), "Error: Missing option '--tenant'.", id="no tenant"),
        pytest.param(
            errors.INVALID_FIELD.error("the tenant is another one"),
            ("flush", "--tenant", "b", "--yes"),
            "scic: the tenant is another one",
            id="another tenant",
        ),
        pytest.param(
            errors.OVERLOADED.error("the gateway has too much to do", retry_after=0.25),
            ("stats",),
            "scic: the gateway has too much to do; try again in 1 s",
            id="overloaded",
        ),
        pytest.param(
            errors.ROLE_REQUIRED.error("the key needs the role operator"),
            ("flush", "--tenant", "b", "--yes"),
            "scic: the key needs the role operator",
            id="role",
        ),
    ],
)
def test_mistakes_are_a_sentence(
    server: Server, scic: Run, failure: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    server.failures = [failure] if failure else []
    done = scic("cache", *arguments)
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", sentence)


@pytest.mark.parametrize("command", ["context", "plan"])
@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param((), None, id="nothing"),
        pytest.param(("--fresh",), cache_pb2.CacheDirective(mode=cache_pb2.CacheDirective.MODE_REFRESH), id="fresh"),
        pytest.param(
            ("--no-cache",), cache_pb2.CacheDirective(mode=cache_pb2.CacheDirective.MODE_BYPASS), id="no cache"
        ),
        pytest.param(
            ("--max-age", "10m", "--min-version", "7"),
            cache_pb2.CacheDirective(max_age=Duration(seconds=600), min_corpus_version=7),
            id="age and version",
        ),
    ],
)
def test_a_question_says_what_the_cache_may_do(
    server: Server, scic: Run, command: str, options: tuple[str, ...], asked: Any
) -> None:
    assert scic(command, "Why?", *options).code == 0
    (request,) = server.seen
    built = request.context if command == "plan" else request
    assert (built.cache if built.HasField("cache") else None) == asked


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--fresh", "--no-cache"), "give one of --fresh and --no-cache"),
        (("--max-age", "soon"), "--max-age: 'soon' must be a number with ms, s, m, h or d"),
    ],
    ids=["two ways", "no time"],
)
def test_a_directive_that_makes_no_sense_is_refused(
    server: Server, scic: Run, options: tuple[str, ...], sentence: str
) -> None:
    done = scic("context", "Why?", *options)
    assert (done.code, server.seen) == (2, [])
    assert sentence in done.err


def test_a_context_says_what_the_cache_did(scic: Run) -> None:
    assert "\ncache: hit (exact), 12 s old · request r-1\n" in scic("context", "Why?").out
