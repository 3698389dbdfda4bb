"""What a degradation cost, in a sentence with figures; empty where it cost nothing that can be told."""

from collections.abc import Iterable

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb

Rung = pb.SourceReport.Rung


def of_cutting(response: compressor.CompressResponse, max_tokens: int) -> str:
    """What it cost to shorten passages less well: those left out, and tokens that nothing fills."""
    count = len(response.passages)
    left_out = sum(not passage.spans and not passage.text for passage in response.passages)
    if not left_out:
        return ""
    unused = max(max_tokens - response.token_count, 0)
    return f"{left_out} of {_passages(count)} left out, {unused:,} of {max_tokens:,} tokens unused"


def of_words_alone(passages: int, tokens: int) -> str:
    """What it cost not to read passages for their meaning."""
    return f"{_passages(passages)} of {tokens:,} tokens were judged by their words alone"


def of_no_summary(response: compressor.CompressResponse) -> str:
    """What it cost that no LLM wrote summaries."""
    parts = sum(len(passage.spans) > 0 for passage in response.passages)
    return f"{_passages(parts)} stand in extracts, not in sentences written for the question"


def of_sources(reports: Iterable[pb.SourceReport], limits: dict[str, int]) -> str:
    """What it cost that sources were not searched: what is missing of each, and what may be old or of another."""
    return "; ".join(_of_source(report, limits[report.source]) for report in reports)


def _of_source(report: pb.SourceReport, limit: int) -> str:
    if report.rung == Rung.RUNG_CACHE:
        return f"{_passages(report.passage_count)} of {report.source} may be older than its corpus"
    missing = f"up to {_passages(limit)} of {report.source} missing"
    return f"{missing}, {report.passage_count} others in their place" if report.passage_count else missing


def _passages(count: int) -> str:
    return f"{count} passage" if count == 1 else f"{count} passages"
