"""Timeouts and retries of every method, as data.

The form is gRPC's service config (https://github.com/grpc/proposal/blob/master/A6-client-retries.md), so clients in
other languages can use the same values. Envoy retries on another replica inside the mesh; what is retried here is only
the way to Envoy, once, and only for methods that may safely be asked twice. RESOURCE_EXHAUSTED is not: whoever is told
that it is too much would only add to it. `ScicError.retry_after` says when to come again.
"""

import json
from typing import Any, Final

UNARY_TIMEOUT: Final = "15s"
"""For a call without a timeout of its own; the mesh shares it out and answers within it, degraded if need be."""

_ONCE_MORE: Final[dict[str, Any]] = {
    "maxAttempts": 2,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

SERVICE_CONFIG: Final[dict[str, Any]] = {
    "methodConfig": [
        {
            "name": [
                {"service": "scic.gateway.v1.ContextService"},
                {"service": "scic.gateway.v1.LedgerService"},
                # The same recipe has the same version, and a label that is moved where it is stays as it is.
                {"service": "scic.gateway.v1.ProfileService"},
                {"service": "scic.gateway.v1.CorpusService", "method": "GetDocument"},
                {"service": "scic.gateway.v1.CorpusService", "method": "ListDocuments"},
                {"service": "scic.gateway.v1.CorpusService", "method": "GetCorpusStats"},
                {"service": "scic.gateway.v1.CorpusService", "method": "DeleteDocuments"},
                {"service": "scic.gateway.v1.CorpusService", "method": "EraseSubject"},
                {"service": "scic.gateway.v1.CorpusService", "method": "EraseTenant"},
                {"service": "scic.gateway.v1.CacheService"},
                # The client names every job, and the same name is the same job.
                {"service": "scic.gateway.v1.JobService", "method": "SubmitJob"},
                {"service": "scic.gateway.v1.JobService", "method": "GetJob"},
                {"service": "scic.gateway.v1.JobService", "method": "ListJobs"},
                {"service": "scic.gateway.v1.JobService", "method": "ListJobResults"},
                {"service": "scic.gateway.v1.JobService", "method": "CancelJob"},
            ],
            "timeout": UNARY_TIMEOUT,
            "retryPolicy": _ONCE_MORE,
        },
        # The second time it would be JOB_NOT_REPLAYABLE, or replay what has failed again meanwhile.
        {"name": [{"service": "scic.gateway.v1.JobService", "method": "ReplayJob"}], "timeout": UNARY_TIMEOUT},
        # A stream of documents takes as long as it takes, and what was sent cannot be sent again from here.
        {"name": [{"service": "scic.gateway.v1.CorpusService", "method": "IngestDocuments"}]},
        # So does a job; the client goes on by itself where a stream broke off.
        {"name": [{"service": "scic.gateway.v1.JobService", "method": "WatchJob"}]},
    ],
    # At most one retry for ten calls that succeed: a mesh in trouble is not hit twice by everyone.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}

CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
