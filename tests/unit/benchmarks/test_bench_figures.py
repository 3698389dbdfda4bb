"""From what was measured to figures."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import figures
from benchmarks.counters import count
from benchmarks.figures import Loaded, Round
from benchmarks.ghz import Load, LoadError, delimited, parse
from benchmarks.ingestion import Ingestion
from benchmarks.report import Figure
from scic.gateway.v1.context_service_pb2 import BuildContextRequest


def load(requests: int, *, errors: int = 0, seconds: float = 10.0, client: float = 1.0) -> Load:
    return Load(
        requests=requests,
        errors=errors,
        seconds=seconds,
        p50_ms=20.0,
        p95_ms=50.0,
        client_cpu_seconds=client,
        error_counts={"Unavailable": errors} if errors else {},
    )


def cpu(**seconds: float) -> Counter[str]:
    used: Counter[str] = Counter()
    used.update(seconds)
    return used


def values(made: list[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in made}


def test_the_share_is_taken_round_by_round() -> None:
    """A machine at half its speed in the second round halves both sides, and not the share."""
    rounds = [Round(Loaded(load(1000), cpu()), load(5000)), Round(Loaded(load(500), cpu()), load(2500))]
    made = values(figures.throughput_figures(rounds))
    assert made["cold BuildContext throughput"] == 75
    assert made["cold throughput, share of the bare chain"] == pytest.approx(20)


def test_errors_are_no_throughput() -> None:
    assert load(1000, errors=400).throughput == 60


def test_cpu_is_taken_on_the_full_machine_and_at_the_steady_rate() -> None:
    offered = Loaded(load(200, client=0.1), cpu(selector=1.0, gateway=0.8))
    rounds = [
        Round(Loaded(load(100, client=0.1), cpu(selector=0.5, gateway=0.3)), load(1)),
        Round(Loaded(load(300, client=0.3), cpu(selector=1.5, gateway=0.5)), load(1)),
    ]
    made = values(figures.cpu_figures(offered, 50, rounds, cores=2))
    assert made["CPU of a select, vector included"] == made["CPU of a cold request: selector"] == pytest.approx(5)
    assert made["CPU of a cold request: gateway"] == pytest.approx(2)
    assert made["CPU of a cold request"] == pytest.approx(7)
    assert made["CPU of a cold request at 50 requests/s"] == pytest.approx(9)
    assert made["CPU of a cold request: load client, apart"] == pytest.approx(1)
    assert made["share of the machine that cold runs got"] == pytest.approx(100 * 3.2 / 40)


def test_ingestion_stands_beside_the_mean_of_the_encoder() -> None:
    ingestion = Ingestion(passages=400, seconds=10.0, latencies_ms=[10.0, 30.0, 20.0], failures=1, unhealthy=2)
    made = values(figures.ingestion_figures(ingestion, [40.0, 60.0]))
    assert made["ingestion, share of the bare encoder"] == pytest.approx(80)
    assert made["context meanwhile: slowest"] == 30
    assert made["context meanwhile: failed or degraded"] == 1
    assert made["health meanwhile: not healthy"] == 2


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(latencies: list[float], share: float) -> None:
    found = figures.percentile(latencies, share)
    needed = share * len(latencies)
    assert sum(value <= found for value in latencies) >= needed - 1e-9
    assert sum(value < found for value in latencies) < needed + 1e-9


def test_a_report_of_ghz_is_read() -> None:
    report = {
        "count": 10,
        "total": 2_000_000_000,
        "statusCodeDistribution": {"OK": 8, "Unavailable": 2},
        "errorDistribution": {"gone": 2},
        "latencyDistribution": [{"percentage": 50, "latency": 1_000_000}, {"percentage": 95, "latency": 7_500_000}],
    }
    seen = parse(report, client_cpu_seconds=0.5)
    assert (seen.requests, seen.errors, seen.seconds, seen.p50_ms, seen.p95_ms) == (10, 2, 2.0, 1.0, 7.5)
    assert seen.throughput == 4
    assert seen.error_counts == {"Unavailable": 2}


def test_a_run_without_a_good_answer_is_an_error() -> None:
    report = {
        "count": 1,
        "total": 1,
        "statusCodeDistribution": {"Unauthenticated": 1},
        "errorDistribution": {"bad key": 1},
        "latencyDistribution": None,
    }
    with pytest.raises(LoadError, match="bad key"):
        parse(report, client_cpu_seconds=0.0)


def test_requests_are_delimited_by_their_length() -> None:
    long = BuildContextRequest(question="q" * 300)
    data = delimited([BuildContextRequest(question="ab"), long])
    assert data[:5] == b"\x04\x0a\x02ab"
    assert data[5:7] == b"\xaf\x02"  # 303 as a varint
    assert BuildContextRequest.FromString(data[7:]) == long


def test_counters_are_added_up_by_name_and_label() -> None:
    page = (
        "# TYPE rq counter\n"
        'rq_total{stage="a",code="1"} 2\n'
        'rq_total{stage="a",code="2"} 3\n'
        'rq_total{stage="b",code="1"} 5\n'
        "# TYPE other counter\n"
        "other_total 7\n"
    )
    assert count(page, "rq_total", {"stage": "a"}) == 5
    assert count(page, "rq_total", {}) == 10
    assert count(page, "missing_total", {}) == 0
