"""The error catalogue: what a server raises is what a client reads."""

from __future__ import annotations

import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from hypothesis import example, given
from hypothesis import strategies as st

from scic.errors import (
    CATALOGUE,
    INVALID_FIELD,
    REQUEST_TOO_LARGE,
    Reason,
    ScicError,
    from_rpc_error,
    from_status,
    render_table,
    to_status,
)

# Trailers of more than 8 KB break the reply; the base64 of 3,000 bytes is 4 KB.
MAX_STATUS_BYTES = 3_000


def over_the_wire(error: ScicError) -> grpc.aio.AioRpcError:
    status = rpc_status.to_status(to_status(error))
    trailing = grpc.aio.Metadata(("x-request-id", "r1"), *status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailing, status.details)


@pytest.mark.parametrize("reason", CATALOGUE.values(), ids=lambda reason: reason.name)
class TestEachReason:
    def test_survives_the_wire(self, reason: Reason) -> None:
        error = reason.error(
            "Für einen Menschen.",
            metadata={"valid": "docs, code"},
            field_violations=[("sources[0].name", "must be known"), ("", "at most one of a, b")],
            retry_after=1.25,
        )
        assert from_rpc_error(over_the_wire(error)) == error

    def test_survives_the_wire_with_nothing_but_a_sentence(self, reason: Reason) -> None:
        error = reason.error("No.")
        assert from_rpc_error(over_the_wire(error)) == error
        assert error.code is reason.code

    def test_is_named_as_error_info_demands(self, reason: Reason) -> None:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", reason.name)
        assert CATALOGUE[reason.name] is reason

    def test_is_a_row_of_the_table(self, reason: Reason) -> None:
        assert f"| `{reason.name}` | `{reason.code.name}` | {reason.meaning} | {reason.remedy} |\n" in render_table()


def test_bad_input_never_looks_like_a_server_failure() -> None:
    """Envoy counts these codes as 5xx: a poison input would eject healthy hosts."""
    failures = {r.name for r in CATALOGUE.values() if r.code in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}}
    assert failures == {"INTERNAL"}


def test_a_request_that_never_fits_is_not_worth_a_retry() -> None:
    assert REQUEST_TOO_LARGE.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "changed",
    [
        {"message": "other"},
        {"metadata": {"a": "1"}},
        {"field_violations": [("f", "d")]},
        {"retry_after": 2.0},
        {"reason": "OTHER"},
        {"code": grpc.StatusCode.ABORTED},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_errors_differ_when_one_part_does(changed: dict[str, object]) -> None:
    parts: dict[str, object] = {"code": grpc.StatusCode.INTERNAL, "reason": "INTERNAL", "message": "m"}
    assert ScicError(**(parts | changed)) != ScicError(**parts)  # type: ignore[arg-type]  # a table of keywords


@given(
    message=st.text(st.characters(exclude_categories=[]), max_size=4_000),
    metadata=st.dictionaries(
        st.text(max_size=200), st.text(st.characters(exclude_categories=[]), max_size=2_000), max_size=20
    ),
    violations=st.lists(st.tuples(st.text(max_size=500), st.text(max_size=2_000)), max_size=100),
)
@example(message="ü" * 4_000, metadata={str(n): "ü" * 999 for n in range(20)}, violations=[("ü" * 99, "ü" * 999)] * 99)
def test_whatever_is_said_fits_into_the_trailers(
    message: str, metadata: dict[str, str], violations: list[tuple[str, str]]
) -> None:
    error = INVALID_FIELD.error(message, metadata=metadata, field_violations=violations, retry_after=3.5)
    status = to_status(error)
    assert status.ByteSize() <= MAX_STATUS_BYTES
    back = from_status(status)
    assert (back.code, back.reason, back.retry_after) == (error.code, error.reason, 3.5)
    dropped = int(back.metadata.get("omitted_violations", "0")) if len(back.field_violations) < len(violations) else 0
    assert len(back.field_violations) + dropped == len(violations)


class TestStatusesThatAreNotOurs:
    def test_no_details(self) -> None:
        error = grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "no healthy upstream"
        )
        assert from_rpc_error(error) == ScicError(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "no healthy upstream")

    def test_no_metadata_at_all(self) -> None:
        error = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, None, None, None)
        assert from_rpc_error(error) == ScicError(grpc.StatusCode.CANCELLED, "CANCELLED", "")

    @pytest.mark.parametrize(
        "details",
        [b"\xff\xff", status_pb2.Status(code=5, message="x").SerializeToString()],
        ids=["garbage", "other code"],
    )
    def test_details_that_contradict_the_status(self, details: bytes) -> None:
        trailing = grpc.aio.Metadata(("grpc-status-details-bin", details))
        error = grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), trailing, "a proxy's words")
        assert from_rpc_error(error) == ScicError(grpc.StatusCode.ABORTED, "ABORTED", "a proxy's words")

    def test_another_domain(self) -> None:
        status = status_pb2.Status(code=14, message="m")
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason="THEIRS", domain="elsewhere", metadata={"a": "b"}))
        assert from_status(status) == ScicError(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "m")

    def test_a_code_from_the_future(self) -> None:
        assert from_status(status_pb2.Status(code=99, message="m")).code is grpc.StatusCode.UNKNOWN
