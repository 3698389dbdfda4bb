"""Channels to the stages: one set of options, and the metadata that travels with every call."""

from __future__ import annotations

from typing import Final

import grpc.aio
import structlog

REQUEST_ID_KEY: Final = "x-request-id"
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""What grpc itself lets through in either direction; what a service takes is less and answers with a clear error."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Exactly one layer retries, and that is Envoy: it knows another replica.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # A proxy from the environment is for the way out; the stages stand behind the sidecar on this host.
    ("grpc.enable_http_proxy", 0),
    # A dead peer is noticed within 40 s; idle channels stay silent, and the server allows a ping every 10 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # A restarted stage is found again within a second, not after the default's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def stage_channel(address: str) -> grpc.aio.Channel:
    """Make a channel to `host:port` that connects at its first call. Close it with `await channel.close()`."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Give the metadata of a call made on behalf of the present request: its id, so that all logs tell one story."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return () if request_id is None else ((REQUEST_ID_KEY, request_id),)
