"""What users of the client rely on: a method for every RPC, a policy for every method, the names they import."""

import inspect
import json
import re
import typing
from collections.abc import AsyncIterator

import pytest
from google.protobuf.descriptor import MethodDescriptor

import scic
import scic.cli
import scic.client
import scic.mesh
import scic.testing
from scic.client.policy import CHANNEL_OPTIONS, SERVICE_CONFIG, UNARY_TIMEOUT
from scic.gateway.v1 import (
    cache_service_pb2,
    context_service_pb2,
    corpus_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    profile_service_pb2,
)

METHODS: list[MethodDescriptor] = [
    method
    for file in (
        context_service_pb2,
        corpus_service_pb2,
        profile_service_pb2,
        ledger_service_pb2,
        job_service_pb2,
        cache_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
NAMES = [method.full_name for method in METHODS]
STREAMS = {"scic.gateway.v1.CorpusService.IngestDocuments", "scic.gateway.v1.JobService.WatchJob"}
ASKED_ONCE = {"scic.gateway.v1.JobService.ReplayJob"}
OTHER_NAMES = {
    "SubmitJob": ["submit_contexts", "submit_documents"],
    "WatchJob": ["watch_job", "wait_for_job"],
    "ListJobResults": ["job_results"],
    "GetCacheStats": ["cache_stats"],
}
"""Methods of the client for an RPC, where they are not called as it is."""


def python_names(method: MethodDescriptor) -> list[str]:
    return OTHER_NAMES.get(method.name) or [re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()]


def configs_of(method: MethodDescriptor) -> list[dict[str, typing.Any]]:
    """The entries of the service config that name a method, by itself or with its whole service."""
    service = method.containing_service.full_name
    return [
        config
        for config in SERVICE_CONFIG["methodConfig"]
        if {"service": service} in config["name"] or {"service": service, "method": method.name} in config["name"]
    ]


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_every_rpc_has_a_typed_method(method: MethodDescriptor) -> None:
    for name in python_names(method):
        function = getattr(scic.Client, name)
        hints = typing.get_type_hints(function)
        assert "return" in hints
        assert inspect.iscoroutinefunction(function) or typing.get_origin(hints["return"]) is AsyncIterator
        assert function.__doc__


def test_the_client_has_no_method_beyond() -> None:
    public = {name for name, _ in inspect.getmembers(scic.Client, inspect.isfunction) if not name.startswith("_")}
    assert public == {name for method in METHODS for name in python_names(method)} | {"close"}


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_exactly_one_policy_covers_every_method(method: MethodDescriptor) -> None:
    (config,) = configs_of(method)
    if method.full_name in STREAMS:
        assert config.keys() == {"name"}, "a stream has no deadline of ours, and cannot be sent again"
        return
    assert config["timeout"] == UNARY_TIMEOUT
    if method.full_name in ASKED_ONCE:
        assert "retryPolicy" not in config
    else:
        assert config["retryPolicy"]["maxAttempts"] == 2
        assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_the_policy_names_nothing_that_is_not_there() -> None:
    services = {method.containing_service.full_name for method in METHODS}
    for config in SERVICE_CONFIG["methodConfig"]:
        for name in config["name"]:
            assert name["service"] in services
            assert "method" not in name or f"{name['service']}.{name['method']}" in NAMES


def test_the_channel_carries_the_policy() -> None:
    assert json.loads(dict(CHANNEL_OPTIONS)["grpc.service_config"]) == SERVICE_CONFIG


@pytest.mark.parametrize(
    ("module", "exports"),
    [
        pytest.param(
            scic,
            {
                "Client",
                "DocumentInput",
                "ScicError",
                "Turn",
                "__version__",
                "chat_messages",
                "context_request",
                "restore",
            },
            id="scic",
        ),
        pytest.param(
            scic.client,
            {"Client", "ContextOptions", "DocumentInput", "Turn", "chat_messages", "context_request", "restore"},
            id="client",
        ),
        pytest.param(scic.testing, {"Mesh", "ServicesMissingError", "mesh"}, id="testing"),
        pytest.param(scic.cli, {"main"}, id="cli"),
    ],
)
def test_exports_are_frozen(module: typing.Any, exports: set[str]) -> None:
    assert set(module.__all__) == exports
    assert all(hasattr(module, name) for name in exports)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        pytest.param(scic.Client, ["address", "*api_key", "*credentials", "*read_your_writes"], id="Client"),
        pytest.param(
            scic.Client.build_context, ["self", "question", "*max_tokens", "*timeout", "**options"], id="build_context"
        ),
        pytest.param(
            scic.Client.plan_context, ["self", "question", "*max_tokens", "*timeout", "**options"], id="plan_context"
        ),
        pytest.param(
            scic.Client.compress_text,
            [
                "self",
                "question",
                "text",
                "*ratio",
                "*max_tokens",
                "*content_type",
                "*name",
                "*model",
                "*pin_patterns",
                "*words_only",
                "*prompt_cached",
                "*dry_run",
                "*timeout",
            ],
            id="compress_text",
        ),
        pytest.param(scic.Client.ingest_documents, ["self", "documents"], id="ingest_documents"),
        pytest.param(scic.Client.get_document, ["self", "document_id", "*timeout"], id="get_document"),
        pytest.param(scic.Client.list_documents, ["self", "*source", "*page_size", "*timeout"], id="list_documents"),
        pytest.param(scic.Client.delete_documents, ["self", "document_ids", "*timeout"], id="delete_documents"),
        pytest.param(scic.Client.erase_subject, ["self", "subject", "*timeout"], id="erase_subject"),
        pytest.param(scic.Client.erase_tenant, ["self", "tenant", "*timeout"], id="erase_tenant"),
        pytest.param(scic.Client.get_corpus_stats, ["self", "*timeout"], id="get_corpus_stats"),
        *(
            pytest.param(
                getattr(scic.Client, name),
                ["self", work, "*request_id", "*priority", "*max_attempts", "*retention", "*timeout"],
                id=name,
            )
            for name, work in (("submit_contexts", "requests"), ("submit_documents", "documents"))
        ),
        pytest.param(scic.Client.watch_job, ["self", "job_id", "*position"], id="watch_job"),
        pytest.param(scic.Client.wait_for_job, ["self", "job_id", "*timeout"], id="wait_for_job"),
        pytest.param(scic.Client.list_jobs, ["self", "*state", "*page_size", "*timeout"], id="list_jobs"),
        pytest.param(scic.Client.job_results, ["self", "job_id", "*page_size", "*timeout"], id="job_results"),
        *(
            pytest.param(getattr(scic.Client, name), ["self", "job_id", "*timeout"], id=name)
            for name in ("get_job", "cancel_job", "replay_job")
        ),
        pytest.param(scic.Client.cache_stats, ["self", "*timeout"], id="cache_stats"),
        pytest.param(scic.Client.flush_cache, ["self", "tenant", "*timeout"], id="flush_cache"),
        pytest.param(scic.context_request, ["question", "*max_tokens", "**options"], id="context_request"),
        pytest.param(scic.chat_messages, ["messages"], id="chat_messages"),
        pytest.param(scic.Turn, ["role", "text"], id="Turn"),
        pytest.param(scic.testing.mesh, ["*data_dir", "*redis_url", "*tenants", "*groups"], id="testing.mesh"),
    ],
)
def test_signatures_are_frozen(function: typing.Any, parameters: list[str]) -> None:
    marks: dict[typing.Any, str] = {inspect.Parameter.KEYWORD_ONLY: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    assert [marks.get(parameter.kind, "") + parameter.name for parameter in found] == parameters


@pytest.mark.parametrize("name", ["delete_documents", "erase_subject", "erase_tenant"])
def test_what_removes_returns_a_receipt(name: str) -> None:
    reply = typing.get_type_hints(getattr(scic.Client, name))["return"]
    assert reply.DESCRIPTOR.fields_by_name["receipt"].message_type is corpus_service_pb2.Receipt.DESCRIPTOR


def test_options_are_frozen() -> None:
    assert set(scic.client.ContextOptions.__annotations__) == {
        "model",
        "profile",
        "sources",
        "filters",
        "conversation",
        "passages",
        "request_id",
        "conversation_id",
        "reserved_output_tokens",
        "render",
        "cache",
        "max_age",
        "min_corpus_version",
    }
