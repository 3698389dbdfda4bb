"""The error catalogue: one table that servers raise from and clients read back.

On the wire an error is a `google.rpc.Status`: a canonical code, a sentence, one `ErrorInfo` (reason, domain, metadata),
and where they help a `BadRequest` and a `RetryInfo` (https://google.aip.dev/193).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ERROR_DOMAIN: Final = "scic"

# Trailers above 8 KB break the reply. They carry the sentence twice (percent-encoded it may triple) and the details in
# base64 (a third more), so 512 bytes of sentence and 3,000 of details stay below 6 KB.
_MAX_MESSAGE_BYTES: Final = 512
_MAX_STATUS_BYTES: Final = 3_000
_MAX_METADATA_ENTRIES: Final = 8
_MAX_KEY_BYTES: Final = 64
_MAX_VALUE_BYTES: Final = 192
_MAX_FIELD_BYTES: Final = 128
_OMITTED: Final = "omitted_violations"


class FieldViolation(NamedTuple):
    """One field that broke a rule."""

    field: str
    """Path in proto naming, such as `sources[0].limit`; empty for a rule about the whole request."""
    description: str
    """What is expected of it."""


class ScicError(Exception):
    """An error of the mesh, equal on both sides of the wire (as far as `to_status` need not shorten it)."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[tuple[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Final = code
        self.reason: Final = reason
        """UPPER_SNAKE; a name of `CATALOGUE`, or the code's name when the status carried no `ErrorInfo` of ours."""
        self.message: Final = message
        self.metadata: Final[Mapping[str, str]] = MappingProxyType(dict(metadata or {}))
        self.field_violations: Final = tuple(FieldViolation(*violation) for violation in field_violations)
        self.retry_after: Final = retry_after
        """Seconds to wait before another try; None: the server gave no advice."""

    def _key(self) -> tuple[object, ...]:
        return (self.code, self.reason, self.message, self.metadata, self.field_violations, self.retry_after)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, ScicError) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.code, self.reason, self.message))

    def __repr__(self) -> str:
        return f"ScicError({self.code.name}, {self.reason}, {self.message!r})"


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of the catalogue."""

    name: str
    code: grpc.StatusCode
    meaning: str
    remedy: str

    def error(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[tuple[str, str]] = (),
        retry_after: float | None = None,
    ) -> ScicError:
        """Make the exception of this reason; `message` is one sentence for a person, free of user content."""
        return ScicError(
            self.code,
            self.name,
            message,
            metadata=metadata,
            field_violations=field_violations,
            retry_after=retry_after,
        )


_CODE = grpc.StatusCode
_CHOOSE = "Choose one of the names in the metadata `valid`."

INVALID_FIELD: Final = Reason(
    "INVALID_FIELD",
    _CODE.INVALID_ARGUMENT,
    "A field breaks a rule of the proto.",
    "Correct the named fields.",
)
MALFORMED_REQUEST: Final = Reason(
    "MALFORMED_REQUEST",
    _CODE.INVALID_ARGUMENT,
    "The bytes are not a message of this type, for instance a string is not UTF-8.",
    "Encode text as UTF-8 and use the current protos.",
)
# Not RESOURCE_EXHAUSTED: that says "later", callers back off and retry it, and the same bytes will never fit.
REQUEST_TOO_LARGE: Final = Reason(
    "REQUEST_TOO_LARGE",
    _CODE.INVALID_ARGUMENT,
    "The request is larger than the service takes (metadata `limit_bytes`).",
    "Send less, or split it; retrying the same request cannot help.",
)
BUDGET_TOO_SMALL: Final = Reason(
    "BUDGET_TOO_SMALL",
    _CODE.INVALID_ARGUMENT,
    "`max_tokens` is smaller than the fixed parts of the prompt (metadata `required_tokens`).",
    "Ask for at least `required_tokens`.",
)
UNKNOWN_SOURCE: Final = Reason(
    "UNKNOWN_SOURCE", _CODE.INVALID_ARGUMENT, "No source has this name (metadata `valid`).", _CHOOSE
)
UNKNOWN_MODEL: Final = Reason(
    "UNKNOWN_MODEL", _CODE.INVALID_ARGUMENT, "No token encoding is known for this model (metadata `valid`).", _CHOOSE
)
UNKNOWN_PROFILE: Final = Reason(
    "UNKNOWN_PROFILE",
    _CODE.INVALID_ARGUMENT,
    "No profile has this name, label or version (metadata `valid`).",
    _CHOOSE,
)
UNKNOWN_FILTER_KEY: Final = Reason(
    "UNKNOWN_FILTER_KEY",
    _CODE.INVALID_ARGUMENT,
    "No document that the caller may see carries the metadata key of a filter.",
    "Check the key; `scic corpus show` prints a document's metadata.",
)
MISSING_CREDENTIAL: Final = Reason(
    "MISSING_CREDENTIAL",
    _CODE.UNAUTHENTICATED,
    "The call carries no API key.",
    "Send the metadata `authorization: Bearer KEY`.",
)
INVALID_CREDENTIAL: Final = Reason(
    "INVALID_CREDENTIAL", _CODE.UNAUTHENTICATED, "The API key is not valid.", "Use a current key."
)
ROLE_REQUIRED: Final = Reason(
    "ROLE_REQUIRED",
    _CODE.PERMISSION_DENIED,
    "The key lacks the role that this call needs (metadata `role`).",
    "Ask an operator for a key with that role.",
)
DOCUMENT_NOT_FOUND: Final = Reason(
    "DOCUMENT_NOT_FOUND",
    _CODE.NOT_FOUND,
    "The caller's tenant has no such document; a document of another tenant looks the same.",
    "Check the id; list the documents.",
)
DOCUMENT_FORBIDDEN: Final = Reason(
    "DOCUMENT_FORBIDDEN",
    _CODE.PERMISSION_DENIED,
    "A write would touch a document, or make one, whose groups the key is not in.",
    "Use a key with one of the groups, or another document id.",
)
EMPTY_DOCUMENT: Final = Reason("EMPTY_DOCUMENT", _CODE.INVALID_ARGUMENT, "The document holds no text.", "Leave it out.")
BINARY_CONTENT: Final = Reason(
    "BINARY_CONTENT", _CODE.INVALID_ARGUMENT, "The document is binary, not text.", "Convert it to text first."
)
BROKEN_ENCODING: Final = Reason(
    "BROKEN_ENCODING",
    _CODE.INVALID_ARGUMENT,
    "The document's bytes do not decode in its character set (metadata `offset`).",
    "Convert it to UTF-8.",
)
UNSUPPORTED_CONTENT_TYPE: Final = Reason(
    "UNSUPPORTED_CONTENT_TYPE",
    _CODE.INVALID_ARGUMENT,
    "This content type is not read (metadata `valid`).",
    "Convert it to one of the valid types.",
)
UNREADABLE_DOCUMENT: Final = Reason(
    "UNREADABLE_DOCUMENT",
    _CODE.INVALID_ARGUMENT,
    "The document cannot be parsed as its content type says: a broken or locked PDF, say.",
    "Repair or unlock it, or send its text.",
)
MALFORMED_CONVERSATION: Final = Reason(
    "MALFORMED_CONVERSATION",
    _CODE.INVALID_ARGUMENT,
    "A line of the conversation is not a turn (metadata `line`).",
    "Write one JSON object a line, with `speaker` and `text`, or `role` and `content`.",
)
CORRUPT_CORPUS: Final = Reason(
    "CORRUPT_CORPUS",
    _CODE.DATA_LOSS,
    "The stored corpus cannot be read; nothing was changed.",
    "Restore the data directory, or ingest into a new one.",
)
MODEL_MISMATCH: Final = Reason(
    "MODEL_MISMATCH",
    _CODE.FAILED_PRECONDITION,
    "The corpus was prepared with another encoder model (metadata `stored`, `running`).",
    "Run the model that prepared it, or move the corpus away and ingest again.",
)
SENSITIVE_CONTENT: Final = Reason(
    "SENSITIVE_CONTENT",
    _CODE.INVALID_ARGUMENT,
    "The request holds personal data or a secret of a type that the profile refuses (metadata `types`).",
    "Take it out, or use a profile whose guard allows it.",
)
GUARD_FAILED: Final = Reason(
    "GUARD_FAILED",
    # Not INTERNAL: the same text would fail on every replica, and a balancer would take one after the other away.
    _CODE.FAILED_PRECONDITION,
    "Personal data could not be looked for, so nothing was let through.",
    "Report the request id; its log line names the detector.",
)
TRUST_FORBIDDEN: Final = Reason(
    "TRUST_FORBIDDEN",
    _CODE.PERMISSION_DENIED,
    "A document asks to be trusted, but its key or its source is not.",
    "Leave `trust` out, or use a trusted key and source.",
)
PROFILE_NOT_FOUND: Final = Reason(
    "PROFILE_NOT_FOUND",
    _CODE.NOT_FOUND,
    "The caller's tenant has no such profile, label or version.",
    "List the profiles; a version may have been removed by retention.",
)
LABEL_MOVED: Final = Reason(
    "LABEL_MOVED",
    _CODE.ABORTED,
    "The label was moved meanwhile (metadata `generation`); nothing was changed.",
    "Look at where it is now, and decide again.",
)
RECORD_NOT_FOUND: Final = Reason(
    "RECORD_NOT_FOUND",
    _CODE.NOT_FOUND,
    "The ledger has no such record that the caller may see; its time may be over.",
    "List the records.",
)
RECORD_ERASED: Final = Reason(
    "RECORD_ERASED",
    _CODE.NOT_FOUND,
    "The record was erased with a document, a subject or the tenant.",
    "Nothing brings it back.",
)
CORPUS_VERSION_GONE: Final = Reason(
    "CORPUS_VERSION_GONE",
    _CODE.FAILED_PRECONDITION,
    "The corpus has changed since the recorded request (metadata `recorded`, `present`).",
    "Set `present_corpus` to search the corpus as it is now.",
)
STORAGE_NOT_CONFIGURED: Final = Reason(
    "STORAGE_NOT_CONFIGURED",
    _CODE.FAILED_PRECONDITION,
    "The server has no object storage, so it keeps neither profiles nor a ledger.",
    "Ask an operator to set SCIC_GATEWAY_STORAGE_URL.",
)
STORAGE_UNAVAILABLE: Final = Reason(
    "STORAGE_UNAVAILABLE",
    _CODE.UNAVAILABLE,
    "Object storage, or the index of the ledger, does not answer.",
    "Retry with back-off.",
)
REQUEST_ID_REUSED: Final = Reason(
    "REQUEST_ID_REUSED",
    _CODE.ALREADY_EXISTS,
    "The request id names a job with other content, or of another API key; metadata `job_id` names it.",
    "Take a new id for other content; send the same content again to get the same job.",
)
JOB_NOT_FOUND: Final = Reason(
    "JOB_NOT_FOUND",
    _CODE.NOT_FOUND,
    "No such job exists for this caller.",
    "Check the id; jobs are forgotten when their retention ends.",
)
JOB_FINISHED: Final = Reason(
    "JOB_FINISHED", _CODE.FAILED_PRECONDITION, "The job had ended before it could be cancelled.", "Look at its results."
)
JOB_NOT_REPLAYABLE: Final = Reason(
    "JOB_NOT_REPLAYABLE",
    _CODE.FAILED_PRECONDITION,
    "The job is neither dead nor cancelled, or what it was to do was erased.",
    "Submit a new job where the work is still wanted.",
)
JOB_ABANDONED: Final = Reason(
    "JOB_ABANDONED",
    _CODE.ABORTED,
    "Every attempt of the job ended with its worker: killed, or out of memory.",
    "Look at the workers; replay the job when they are well, or submit it in smaller parts.",
)
JOB_QUEUE_FULL: Final = Reason(
    "JOB_QUEUE_FULL",
    _CODE.RESOURCE_EXHAUSTED,
    "The tenant has as many jobs waiting, or bytes in jobs and their results, as it may (metadata `limit_jobs`, "
    "`limit_bytes`).",
    "Try again when some are done; results that are kept for less time leave room sooner.",
)
POSITION_GONE: Final = Reason(
    "POSITION_GONE",
    _CODE.OUT_OF_RANGE,
    "Events at that position were trimmed away, or it never was one of this job.",
    "Watch without a position: the first event says how the job stands.",
)
RESULT_ERASED: Final = Reason(
    "RESULT_ERASED",
    _CODE.NOT_FOUND,
    "The result, or what was to be done, named a document that was deleted since.",
    "Submit the item again where it is still wanted.",
)
QUEUE_NOT_CONFIGURED: Final = Reason(
    "QUEUE_NOT_CONFIGURED",
    _CODE.FAILED_PRECONDITION,
    "The server has no Redis, so it keeps no jobs.",
    "Ask an operator to set SCIC_GATEWAY_REDIS_URL.",
)
QUEUE_UNAVAILABLE: Final = Reason(
    "QUEUE_UNAVAILABLE",
    _CODE.UNAVAILABLE,
    "The queue does not answer; a job that was acknowledged is not lost.",
    "Try again; a submission with the same request id is the same job.",
)
CACHE_UNAVAILABLE: Final = Reason(
    "CACHE_UNAVAILABLE",
    _CODE.UNAVAILABLE,
    "The cache does not answer, or the server has none.",
    "Try again. Contexts are built without it meanwhile.",
)
RATE_LIMITED: Final = Reason(
    "RATE_LIMITED",
    _CODE.RESOURCE_EXHAUSTED,
    "The tenant has used up its requests or tokens of the window; metadata `rule` names the rule.",
    "Wait as long as RetryInfo says; without it the request alone is more than the rule allows: ask for fewer tokens, "
    "or make smaller jobs.",
)
LIMITS_UNAVAILABLE: Final = Reason(
    "LIMITS_UNAVAILABLE",
    _CODE.UNAVAILABLE,
    "The limits cannot be checked, and the rule in metadata `rule` lets nothing through then.",
    "Wait as long as RetryInfo says, and try again.",
)
OVERLOADED: Final = Reason(
    "OVERLOADED",
    _CODE.RESOURCE_EXHAUSTED,
    "The server has more to do than it can do in time; metadata `resource` says where.",
    "Wait as long as RetryInfo says, and send fewer requests at a time.",
)
STAGE_UNAVAILABLE: Final = Reason(
    "STAGE_UNAVAILABLE",
    _CODE.UNAVAILABLE,
    "A stage without a substitute does not answer (metadata `stage`).",
    "Retry with back-off.",
)
DEADLINE_EXCEEDED: Final = Reason(
    "DEADLINE_EXCEEDED", _CODE.DEADLINE_EXCEEDED, "The time ran out during the work.", "Give the call more time."
)
NOT_IMPLEMENTED: Final = Reason(
    "NOT_IMPLEMENTED", _CODE.UNIMPLEMENTED, "This service does not do this yet.", "See the service's README."
)
INTERNAL: Final = Reason(
    "INTERNAL",
    _CODE.INTERNAL,
    "A bug of the service; its log has the trace under metadata `error_id`.",
    "Report the `error_id`.",
)

CATALOGUE: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        reason.name: reason
        for reason in (
            INVALID_FIELD,
            MALFORMED_REQUEST,
            REQUEST_TOO_LARGE,
            BUDGET_TOO_SMALL,
            UNKNOWN_SOURCE,
            UNKNOWN_MODEL,
            UNKNOWN_PROFILE,
            UNKNOWN_FILTER_KEY,
            MISSING_CREDENTIAL,
            INVALID_CREDENTIAL,
            ROLE_REQUIRED,
            DOCUMENT_NOT_FOUND,
            DOCUMENT_FORBIDDEN,
            EMPTY_DOCUMENT,
            BINARY_CONTENT,
            BROKEN_ENCODING,
            UNREADABLE_DOCUMENT,
            UNSUPPORTED_CONTENT_TYPE,
            MALFORMED_CONVERSATION,
            CORRUPT_CORPUS,
            MODEL_MISMATCH,
            SENSITIVE_CONTENT,
            GUARD_FAILED,
            TRUST_FORBIDDEN,
            PROFILE_NOT_FOUND,
            LABEL_MOVED,
            RECORD_NOT_FOUND,
            RECORD_ERASED,
            CORPUS_VERSION_GONE,
            STORAGE_NOT_CONFIGURED,
            STORAGE_UNAVAILABLE,
            REQUEST_ID_REUSED,
            JOB_NOT_FOUND,
            JOB_FINISHED,
            JOB_NOT_REPLAYABLE,
            JOB_ABANDONED,
            JOB_QUEUE_FULL,
            POSITION_GONE,
            RESULT_ERASED,
            QUEUE_NOT_CONFIGURED,
            QUEUE_UNAVAILABLE,
            CACHE_UNAVAILABLE,
            RATE_LIMITED,
            LIMITS_UNAVAILABLE,
            OVERLOADED,
            STAGE_UNAVAILABLE,
            DEADLINE_EXCEEDED,
            NOT_IMPLEMENTED,
            INTERNAL,
        )
    }
)
"""Every reason by name, in the order of the documentation."""

_CODE_BY_NUMBER: Final[Mapping[int, grpc.StatusCode]] = MappingProxyType({code.value[0]: code for code in _CODE})


def to_status(error: ScicError) -> status_pb2.Status:
    """Put an error on the wire, at most 3,000 bytes: long texts are cut, violations that do not fit are counted.

    The count of the left out violations stands in the metadata as `omitted_violations`.
    """
    status = status_pb2.Status(code=error.code.value[0], message=_cut(error.message, _MAX_MESSAGE_BYTES))
    entries = list(error.metadata.items())[:_MAX_METADATA_ENTRIES]
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=ERROR_DOMAIN,
        metadata={_cut(key, _MAX_KEY_BYTES): _cut(value, _MAX_VALUE_BYTES) for key, value in entries},
    )
    bad_request = error_details_pb2.BadRequest()
    # 64 bytes of reserve: the type URLs and the count of omitted violations.
    room = _MAX_STATUS_BYTES - status.ByteSize() - info.ByteSize() - 64
    for field, description in error.field_violations:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(field, _MAX_FIELD_BYTES), description=_cut(description, _MAX_VALUE_BYTES)
        )
        room -= violation.ByteSize() + 4
        if room < 0:
            info.metadata[_OMITTED] = str(len(error.field_violations) - len(bad_request.field_violations))
            break
        bad_request.field_violations.append(violation)
    status.details.add().Pack(info)
    if bad_request.field_violations:
        status.details.add().Pack(bad_request)
    if error.retry_after is not None:
        retry_info = error_details_pb2.RetryInfo()
        retry_info.retry_delay.FromTimedelta(timedelta(seconds=error.retry_after))
        status.details.add().Pack(retry_info)
    return status


def from_status(status: status_pb2.Status) -> ScicError:
    """Read an error off the wire; without an `ErrorInfo` of ours the reason is the code's name."""
    code = _CODE_BY_NUMBER.get(status.code, _CODE.UNKNOWN)
    reason, metadata = code.name, dict[str, str]()
    violations: list[FieldViolation] = []
    retry_after: float | None = None
    info, bad_request, retry_info = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    for detail in status.details:
        if detail.Unpack(info):
            if info.domain == ERROR_DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations = [FieldViolation(item.field, item.description) for item in bad_request.field_violations]
        elif detail.Unpack(retry_info):
            retry_after = retry_info.retry_delay.ToTimedelta().total_seconds()
    return ScicError(
        code, reason, status.message, metadata=metadata, field_violations=violations, retry_after=retry_after
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> ScicError:
    """Turn what a stub raised into a `ScicError`, whoever sent it: a service of ours, Envoy or grpc itself."""
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        # Details that contradict the status, or are none: a proxy rewrote it. What the status itself says still holds.
        status = None
    if status is None:
        return ScicError(error.code(), error.code().name, error.details() or "")
    return from_status(status)


def render_table() -> str:
    """Render the catalogue as the Markdown table of the documentation."""
    rows = [f"| `{r.name}` | `{r.code.name}` | {r.meaning} | {r.remedy} |" for r in CATALOGUE.values()]
    return "\n".join(["| reason | code | meaning | what to do |", "|---|---|---|---|", *rows]) + "\n"


def _cut(text: str, limit: int) -> str:
    """Cut to `limit` bytes of UTF-8 at a character; lone surrogates, which protobuf refuses, become `?`."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
