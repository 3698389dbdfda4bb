"""Composition root of the gateway's API."""

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from scic.gateway.v1 import (
    cache_service_pb2,
    cache_service_pb2_grpc,
    context_service_pb2,
    context_service_pb2_grpc,
    corpus_service_pb2,
    corpus_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from services.chassis.app import App, Build
from services.chassis.health import Health
from services.gateway.admission.request_bound import RequestBound
from services.gateway.admission.stream_bound import StreamBound
from services.gateway.cache.servicer import CacheServicer
from services.gateway.callers.authentication import Authentication
from services.gateway.compress_text.compression import TextCompression
from services.gateway.connections import compressor_client
from services.gateway.contexts.servicer import ContextServicer
from services.gateway.corpus.corpus import Corpus
from services.gateway.corpus.erasure import Erasure
from services.gateway.corpus.servicer import CorpusServicer
from services.gateway.jobs.servicer import JobServicer
from services.gateway.ledger.servicer import LedgerServicer
from services.gateway.limits.wiring import limiting
from services.gateway.page import page
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import open_core

_APIS = (
    context_service_pb2,
    corpus_service_pb2,
    profile_service_pb2,
    ledger_service_pb2,
    cache_service_pb2,
    job_service_pb2,
)


def build(settings: GatewaySettings) -> Build:
    """The gateway, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        async with AsyncExitStack() as stack:
            core = await stack.enter_async_context(open_core(settings))
            texts = TextCompression(
                await compressor_client(settings, stack, "-texts"),
                core.profile,
                core.guard,
                # Threads of its own: a PDF that is being ingested must not hold up a question.
                stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="texts")),
                time.monotonic,
            )
            contexts = ContextServicer(core.recording, texts, core.deadlines)
            corpus = CorpusServicer(
                Corpus(core.stages.selector, core.sources.holding),
                Erasure(
                    core.stages.selector,
                    core.cache,
                    core.announcer,
                    core.queue,
                    core.ledger,
                    core.profiles.profiles,
                ),
                core.ingester,
                core.deadlines,
            )
            ledger = LedgerServicer(core.ledger, core.recording, core.deadlines)
            jobs = JobServicer(
                core.queue, core.signals, max_bytes=settings.job_max_bytes, is_leaving=health.is_draining
            )
            limits = await limiting(settings, core.profiles.profiles, stack)
            if core.ledger.keeps and settings.page_port is not None:
                await stack.enter_async_context(page(settings.host, settings.page_port, core.keys, core.ledger))

            def register(server: grpc.aio.Server) -> None:
                context_service_pb2_grpc.add_ContextServiceServicer_to_server(contexts, server)
                corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(corpus, server)
                profile_service_pb2_grpc.add_ProfileServiceServicer_to_server(core.profiles.servicer, server)
                ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, server)
                cache_service_pb2_grpc.add_CacheServiceServicer_to_server(CacheServicer(core.cache), server)
                job_service_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)

            # The stages and Redis are no components of health: without them the gateway answers, only less well, and
            # a balancer that took it away for their sake would turn less quality into no answer.
            health.component("keys").up()
            yield App(
                name="gateway",
                register=register,
                service_names=tuple(
                    service.full_name for file in _APIS for service in file.DESCRIPTOR.services_by_name.values()
                ),
                interceptors=(
                    RequestBound(core.keys, settings.max_requests),
                    Authentication(core.keys),
                    StreamBound(settings.max_streams),
                    *limits,
                ),
            )

    return lifetime
