"""Word from other gateways that something has happened: a reply is there, a job has moved on."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Signals(Protocol):
    """Topics that one may wait for. A word may get lost: whoever waits looks for himself after a while."""

    def expect(self, topic: str) -> AbstractContextManager[asyncio.Event]:
        """An event that is set, within the `with`, whenever somebody speaks of the topic; whoever waits clears it."""
        ...


class LocalSignals:
    """Topics and those in this process who wait for them."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def expect(self, topic: str) -> Iterator[asyncio.Event]:
        """See Signals."""
        event = asyncio.Event()
        events = self._waiting.setdefault(topic, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._waiting.pop(topic, None)

    def speak(self, topic: str) -> None:
        """Wakes those who wait for a topic."""
        for event in self._waiting.get(topic, ()):
            event.set()

    def speak_of_all(self) -> None:
        """Wakes everybody: word may have been lost."""
        for topic in list(self._waiting):
            self.speak(topic)
