"""Composition root of the selector."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from scic.selector.v1 import selector_service_pb2, selector_service_pb2_grpc
from services.chassis.app import App, Build
from services.chassis.health import Health
from services.selector.embedded.store import EmbeddedStore
from services.selector.question_encoder import QuestionEncoder
from services.selector.servicer import SelectorServicer
from services.selector.settings import SelectorSettings
from services.text.encoder import Encoder
from services.text.model import model_file


def build(settings: SelectorSettings) -> Build:
    """The selector, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        store_health, encoder_health = health.component("store"), health.component("encoder")
        async with AsyncExitStack() as stack:
            # Now, not at the first document: a folder that cannot be had is a reason not to start.
            await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
            store = EmbeddedStore(settings.data_dir)
            stack.push_async_callback(store.close)
            store_health.up()
            encoder = await asyncio.to_thread(lambda: Encoder.load(model_file(settings.model_dir)))
            questions = QuestionEncoder(encoder)
            stack.callback(questions.close)
            await questions.encode("warm up")
            encoder_health.up()

            def register(server: grpc.aio.Server) -> None:
                servicer = SelectorServicer(store, questions)
                selector_service_pb2_grpc.add_SelectorServiceServicer_to_server(servicer, server)

            name = selector_service_pb2.DESCRIPTOR.services_by_name["SelectorService"].full_name
            yield App(name="selector", register=register, service_names=(name,))

    return lifetime
