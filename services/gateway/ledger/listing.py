"""Pages of records: tokens and conditions."""

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.chassis.page_token import ForeignPageTokenError, last_listed, page_token

_SIZE = 50


def page_size(request: pb.ListRecordsRequest) -> int:
    """Records of a page."""
    return request.page_size or _SIZE


def listed_before(request: pb.ListRecordsRequest) -> str:
    """The record that the page before ended with; empty for the first page. Raises INVALID_FIELD."""
    try:
        return last_listed(request.page_token, _conditions(request))
    except ForeignPageTokenError:
        raise errors.INVALID_FIELD.error(
            "the page token is not of this listing",
            field_violations=[("page_token", "must be the next_page_token of a page with the same conditions")],
        ) from None


def token_after(request: pb.ListRecordsRequest, record_id: str) -> str:
    """The token of the page that follows a record."""
    return page_token(_conditions(request), record_id)


def is_wanted(request: pb.ListRecordsRequest, row: pb.RecordSummary) -> bool:
    """Whether a record meets the conditions."""
    if request.only_troubled and not (row.degraded or row.error_reason):
        return False
    name, _, version = request.profile.partition("@")
    return (not name or row.profile == name) and (not version or row.profile_version == version)


def _conditions(request: pb.ListRecordsRequest) -> str:
    return f"{request.profile}\n{int(request.only_troubled)}"
