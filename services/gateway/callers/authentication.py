"""Who may call what: the API key in the metadata names the caller, the caller's roles open the methods."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from structlog.contextvars import bind_contextvars

from scic import errors
from services.chassis.interceptors import Call, CallInterceptor, Context, Method, metadata_of
from services.gateway.callers.principal import KeyRing, Principal, Role

_READER = frozenset({Role.READER})
_WRITER = frozenset({Role.WRITER})
_ADMIN = frozenset({Role.ADMIN})
_OPERATOR = frozenset({Role.OPERATOR})

REQUIRED_ROLE: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "/scic.gateway.v1.ContextService/BuildContext": _READER,
        "/scic.gateway.v1.ContextService/PlanContext": _READER,
        "/scic.gateway.v1.ContextService/CompressText": _READER,
        "/scic.gateway.v1.CorpusService/GetDocument": _READER,
        "/scic.gateway.v1.CorpusService/ListDocuments": _READER,
        "/scic.gateway.v1.CorpusService/GetCorpusStats": _READER,
        "/scic.gateway.v1.CorpusService/IngestDocuments": _WRITER,
        "/scic.gateway.v1.CorpusService/DeleteDocuments": _WRITER,
        "/scic.gateway.v1.CorpusService/EraseSubject": _ADMIN,
        "/scic.gateway.v1.CorpusService/EraseTenant": _ADMIN,
        "/scic.gateway.v1.ProfileService/GetProfile": _READER,
        "/scic.gateway.v1.ProfileService/ListProfiles": _READER,
        "/scic.gateway.v1.ProfileService/DiffProfiles": _READER,
        "/scic.gateway.v1.ProfileService/PublishProfile": _OPERATOR,
        "/scic.gateway.v1.ProfileService/SetLabel": _OPERATOR,
        "/scic.gateway.v1.LedgerService/GetRecord": _READER,
        "/scic.gateway.v1.LedgerService/ListRecords": _READER,
        "/scic.gateway.v1.LedgerService/DiffRecords": _READER,
        "/scic.gateway.v1.LedgerService/ReplayRecord": _READER,
        "/scic.gateway.v1.CacheService/GetCacheStats": _READER,
        "/scic.gateway.v1.CacheService/FlushCache": _OPERATOR,
        # Reader for contexts, writer for documents: the work of the job decides.
        "/scic.gateway.v1.JobService/SubmitJob": _READER | _WRITER,
        "/scic.gateway.v1.JobService/GetJob": _READER,
        "/scic.gateway.v1.JobService/WatchJob": _READER,
        "/scic.gateway.v1.JobService/ListJobs": _READER,
        "/scic.gateway.v1.JobService/ListJobResults": _READER,
        "/scic.gateway.v1.JobService/CancelJob": _READER | _WRITER,
        "/scic.gateway.v1.JobService/ReplayJob": _READER | _WRITER,
    }
)
"""Roles of which a caller needs one. A method that is not listed is open to nobody, health and reflection apart."""

METHODS = frozenset(path.rpartition("/")[2] for path in REQUIRED_ROLE)
"""The methods' names, such as `BuildContext`."""

_SCHEME = "bearer "
_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """The caller of the request that is being worked on. Its tenant, and no other, is read and written."""
    return _principal.get()


def caller_in(keys: KeyRing, metadata: Any) -> Principal:
    """The caller that a call's metadata names. Raises as `bearer` does."""
    return bearer(keys, next((value for name, value in metadata or () if name == "authorization"), None))


def bearer(keys: KeyRing, given: str | bytes | None) -> Principal:
    """The caller of an `authorization: Bearer KEY`. Raises ScicError MISSING_CREDENTIAL or INVALID_CREDENTIAL."""
    if not given:
        raise errors.MISSING_CREDENTIAL.error("send your API key as `authorization: Bearer <key>`")
    if isinstance(given, str) and given[: len(_SCHEME)].lower() == _SCHEME:
        principal = keys.find(given[len(_SCHEME) :].strip())
        if principal is not None:
            return principal
    raise errors.INVALID_CREDENTIAL.error("the API key is not known")


class Authentication(CallInterceptor):
    """Finds the caller, checks the role, and binds the caller for the servicer and the logs."""

    def __init__(self, keys: KeyRing) -> None:
        super().__init__()
        self._keys = keys

    def wrap(self, method: Method, call: Call) -> Call:
        """Let in only whom the method is open to."""
        if method.is_infrastructure:
            return call
        roles = REQUIRED_ROLE[method.path]

        async def authenticated(request: Any, context: Context) -> Any:
            principal = caller_in(self._keys, metadata_of(context))
            if roles.isdisjoint(principal.roles):
                needed = " or ".join(sorted(role.value for role in roles))
                raise errors.ROLE_REQUIRED.error(
                    f"{method.operation} needs the role {needed}", metadata={"role": needed}
                )
            _principal.set(principal)
            bind_contextvars(tenant=principal.tenant, key_id=principal.key_id)
            return await call(request, context)

        return authenticated
