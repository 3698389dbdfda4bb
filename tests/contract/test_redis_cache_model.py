"""The cache in a real Valkey against a model of what is true: no stale or foreign answer, and no needless loss.

Documents change, are removed, get and lose their permissions; writes are announced in any order, twice or never; trust
ends; replies of old builds come late; keys are evicted; tenants are flushed and erased. Whatever is served is right by
all that was announced or confirmed before. What nothing speaks against is served.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from services.chassis.breaker import Breaker
from services.gateway.cache.keys import cache_keys, flight_key
from services.gateway.cache.ports import CacheEntry, CacheKey, CorpusChange, Freshness, Hit, Lead, Shared, Unverified
from services.gateway.cache.redis_cache import RedisContextCache
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import Patience
from tests.valkey import ALONE, Valkey

TENANTS = ("acme", "other")
DOCUMENTS = ("w", "x", "y", "z")
CALLERS = ("staff", "board")
QUESTIONS = {"q1": ("w", "x"), "q2": ("x", "y", "z")}
"""What answers each."""
KEYS = [(question, caller) for question in QUESTIONS for caller in CALLERS]
THEN = ("entry", "entry", "entry", "entry", "shared", "nothing", "read", "dawdle")
"""How a build goes on: it is settled at once, or later, having read the corpus or not."""
HOW = ("put", "remove", "board")
"""What becomes of a document: a new content for all, none, one for the board."""
START = 1_795_531_022_249_991
ANY = Freshness()

Content = tuple[int, bool]
"""A content, and whether only the board may see it."""


@dataclass
class Build:
    """A reply that is being made."""

    key: tuple[str, str]
    epoch: int
    version: int = 0
    reply: dict[str, int] | None = None


@dataclass
class Tenant:
    """What is true, and what the cache was told of it."""

    documents: dict[str, Content] = field(default_factory=dict)
    version: int = START
    changes: list[CorpusChange] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)
    """Versions of writes that were announced."""
    confirmed: int = 0
    epoch: int = 0
    """How often all was forgotten or flushed."""
    floor: int | None = None
    """Beneath it nothing can be kept; None where no version was seen since all was forgotten."""
    kept: dict[tuple[str, str], Build] = field(default_factory=dict)
    """Replies against which nothing speaks."""

    def told(self, change: CorpusChange) -> bool:
        return change.corpus_version in self.heard or change.corpus_version <= self.confirmed

    def changed_since(self, name: str, version: int, counts: Callable[[CorpusChange], bool]) -> bool:
        return any(c.corpus_version > version and name in c.document_ids and counts(c) for c in self.changes)

    def see_version(self, version: int) -> None:
        if self.floor is None:
            self.floor = version

    def forget_older(self, version: int) -> None:
        self.floor = max(self.floor or 0, version)
        self.kept = {key: build for key, build in self.kept.items() if build.version >= version}


class CacheMachine(RuleBasedStateMachine):
    """Drives two gateways' caches and the model."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.hits = 0

    @initialize(new_documents_seconds=st.sampled_from([0.0, 600.0]))
    def begin(self, new_documents_seconds: float) -> None:
        self.builds: dict[str, tuple[str, Build]] = {}
        self.names = (f"f{number}" for number in itertools.count())
        self.ids = itertools.count(1)
        self.tenants = {tenant: Tenant({name: (next(self.ids), False) for name in DOCUMENTS}) for tenant in TENANTS}
        self.lives_on = new_documents_seconds > 0
        self.redis = self.run(self.stack.enter_async_context(Redis.from_url(self.url)))
        self.run(self.redis.flushall())
        self.cache = RedisContextCache(
            self.redis,
            Breaker("model"),
            ttl_seconds=3600,
            new_documents_seconds=new_documents_seconds,
            max_bytes=1 << 20,
        )

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()

    def run(self, work):
        return self.loop.run(work)

    # The corpus.

    @rule(
        tenant=st.sampled_from(TENANTS),
        what=st.dictionaries(st.sampled_from(DOCUMENTS), st.sampled_from(HOW), min_size=1),
        heard=st.booleans(),
    )
    def write(self, tenant: str, what: dict[str, str], heard: bool) -> None:
        one = self.tenants[tenant]
        touched, new = [], False
        for name, how in what.items():
            if name in one.documents:
                touched.append(name)
            elif how == "remove":
                continue
            new = True
            if how == "remove":
                del one.documents[name]
            else:
                one.documents[name] = (next(self.ids), how == "board")
        if not new:
            return
        change = CorpusChange(one.version, one.version + 7, tuple(touched))
        one.version = change.corpus_version
        one.changes.append(change)
        if heard:
            self.announce(tenant, change)

    def announce(self, tenant: str, change: CorpusChange) -> None:
        self.run(self.cache.advance(tenant, change))
        self.tenants[tenant].heard.add(change.corpus_version)

    @rule(tenant=st.sampled_from(TENANTS), index=st.integers(0, 30))
    def announce_late_or_again(self, tenant: str, index: int) -> None:
        changes = self.tenants[tenant].changes
        if changes:
            self.announce(tenant, changes[-1 - index % len(changes)])

    @rule(tenant=st.sampled_from(TENANTS), unheard=st.booleans())
    def confirm(self, tenant: str, unheard: bool) -> None:
        one = self.tenants[tenant]
        if any(not one.told(change) for change in one.changes):
            if not unheard:
                return
            one.forget_older(one.version)
        self.run(self.cache.confirm(tenant, one.version))
        one.see_version(one.version)
        one.confirmed = one.version

    @rule(tenant=st.sampled_from(TENANTS))
    def end_trust(self, tenant: str) -> None:
        self.run(self.redis.hdel(cache_keys(tenant)[0], "until"))

    @rule(tenant=st.sampled_from(TENANTS))
    def announce_what_nobody_can_name(self, tenant: str) -> None:
        one = self.tenants[tenant]
        self.run(self.cache.advance(tenant, CorpusChange(one.version, one.version, unnamed=True)))
        one.forget_older(one.version)
        one.confirmed = one.version

    # Requests.

    @rule(
        tenant=st.sampled_from(TENANTS),
        key=st.sampled_from(KEYS),
        look=st.sampled_from([True, True, True, False]),
        waited=st.sampled_from([None, 600.0]),
        then=st.sampled_from(THEN),
    )
    def ask(self, tenant: str, key: tuple[str, str], look: bool, waited: float | None, then: str) -> None:
        one, flight = self.tenants[tenant], next(self.names)
        expected = look and key in one.kept and (self.lives_on or one.kept[key].version == one.version)
        found = self.run(self.claim(tenant, key, flight, look=look, waited=waited))
        if isinstance(found, Unverified) and all(one.told(change) for change in one.changes):
            self.confirm(tenant, unheard=False)
            found = self.run(self.claim(tenant, key, flight, look=look, waited=waited))
        match found:
            case Hit(reply) | Shared(reply):
                self.hits += isinstance(found, Hit)
                self.check(tenant, key, reply.serialized)
            case Lead():
                build = Build(key, one.epoch)
                if then != "dawdle":
                    self.read(one, build)
                if then in ("dawdle", "read"):
                    self.builds[flight] = (tenant, build)
                else:
                    self.settle(tenant, flight, build, then)
        assert not expected or isinstance(found, Hit | Unverified), "nothing spoke against it"

    def claim(self, tenant: str, key: tuple[str, str], flight: str, *, look: bool, waited: float | None = None):
        return self.cache.claim(tenant, key_of(key), ANY, flight=flight, lease=60, look=look, waited=waited)

    @rule(tenant=st.sampled_from(TENANTS), key=st.sampled_from(KEYS))
    def look_up(self, tenant: str, key: tuple[str, str]) -> None:
        found = self.run(self.cache.lookup(tenant, key_of(key), ANY))
        if isinstance(found, Hit):
            self.check(tenant, key, found.reply.serialized)

    def check(self, tenant: str, key: tuple[str, str], reply: bytes) -> None:
        one, stored = self.tenants[tenant], json.loads(reply)
        assert stored["of"] == [tenant, *key]
        for name, content in stored["named"].items():
            if one.changed_since(name, stored["version"], lambda change: not one.told(change)):
                continue  # nobody told the cache yet
            assert name in one.documents, "it was removed"
            assert one.documents[name][0] == content, "it was replaced"
            assert key[1] == "board" or not one.documents[name][1], "the caller may not see it any more"
        if not self.lives_on and all(change.corpus_version in one.heard for change in one.changes) and one.floor:
            newer = [change for change in one.changes if change.corpus_version > stored["version"]]
            assert not newer or stored["shared"], "the corpus has moved on"

    def read(self, one: Tenant, build: Build) -> None:
        question, caller = build.key
        visible = {name: one.documents[name] for name in QUESTIONS[question] if name in one.documents}
        build.version = one.version
        build.reply = {name: content for name, (content, board) in visible.items() if caller == "board" or not board}

    @rule(index=st.integers(0, 30), how=st.sampled_from(["entry", "entry", "shared", "nothing"]))
    def settle_late(self, index: int, how: str) -> None:
        if not self.builds:
            return
        flight = list(self.builds)[index % len(self.builds)]
        tenant, build = self.builds.pop(flight)
        if build.reply is None:
            self.read(self.tenants[tenant], build)
        self.settle(tenant, flight, build, how)

    def settle(self, tenant: str, flight: str, build: Build, how: str) -> None:
        one = self.tenants[tenant]
        assert build.reply is not None
        stored = {
            "of": [tenant, *build.key],
            "named": build.reply,
            "version": build.version,
            "shared": how == "shared",
        }
        reply = json.dumps(stored).encode()
        entry = CacheEntry(reply, build.version, sorted(build.reply), 0.0) if how == "entry" else None
        if how == "shared":
            # Somebody waits, so that it is handed on.
            self.run(self.claim(tenant, build.key, next(self.names), look=False))
        led = self.run(self.redis.hexists(flight_key(tenant, key_of(build.key).exact), f"began:{flight}"))
        work = self.cache.settle(
            tenant, key_of(build.key), flight=flight, entry=entry, shared=reply if how == "shared" else None
        )
        right = self.run(work)
        if not led or build.epoch != one.epoch:
            assert not right, "nobody can tell"
            return
        if how != "entry":
            return
        one.see_version(build.version)
        assert one.floor is not None
        dead = any(one.changed_since(name, build.version, one.told) for name in build.reply)
        assert right is (build.version >= one.floor and not dead)
        if right:
            one.kept[build.key] = build

    @rule(tenant=st.sampled_from(TENANTS), key=st.sampled_from(KEYS))
    def leader_is_gone(self, tenant: str, key: tuple[str, str]) -> None:
        name = flight_key(tenant, key_of(key).exact)
        if self.run(self.redis.exists(name)):
            self.run(self.redis.hset(name, "until", 0))

    # What goes.

    @rule(tenant=st.sampled_from(TENANTS), kind=st.integers(0, 5))
    def evict(self, tenant: str, kind: int) -> None:
        one, name = self.tenants[tenant], cache_keys(tenant)[kind]
        if not self.run(self.redis.unlink(name)):
            return
        if kind < 2:
            one.epoch += 1
            one.floor = None
        if kind != 3:
            one.kept.clear()

    @rule(tenant=st.sampled_from(TENANTS))
    def flush(self, tenant: str) -> None:
        self.run(self.cache.flush(tenant))
        self.tenants[tenant].epoch += 1
        self.tenants[tenant].kept.clear()

    @rule(tenant=st.sampled_from(TENANTS), name=st.sampled_from(DOCUMENTS))
    def erase(self, tenant: str, name: str) -> None:
        one = self.tenants[tenant]
        if name not in one.documents:
            return
        del one.documents[name]
        change = CorpusChange(one.version, one.version + 7, (name,))
        one.version = change.corpus_version
        one.changes.append(change)
        removed = self.run(self.cache.erase_documents(tenant, change))
        one.heard.add(change.corpus_version)
        held = {tuple(key.decode()[2:].split("/")) for key in self.run(self.redis.hkeys(cache_keys(tenant)[2]))}
        named = [key for key, build in one.kept.items() if name in (build.reply or ())]
        assert held.isdisjoint(named)
        # Where it need not live on, a look-up may have removed it before.
        assert removed >= len(named) or not self.lives_on

    @rule(tenant=st.sampled_from(TENANTS))
    def erase_tenant(self, tenant: str) -> None:
        one = self.tenants[tenant]
        change = CorpusChange(one.version, one.version + 7, tuple(one.documents))
        one.documents.clear()
        one.version = change.corpus_version
        one.changes.append(change)
        self.run(self.cache.erase_tenant(tenant, one.version))
        one.epoch += 1
        one.kept.clear()
        one.floor = one.confirmed = one.version
        assert not self.run(self.redis.exists(*cache_keys(tenant)[2:]))

    @invariant()
    def what_changed_is_not_kept(self) -> None:
        for one in self.tenants.values():
            one.kept = {
                key: build
                for key, build in one.kept.items()
                if not any(one.changed_since(name, build.version, one.told) for name in build.reply or ())
            }


def key_of(key: tuple[str, str]) -> CacheKey:
    return CacheKey("/".join(key))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", Patience(seconds=20.0, slow_seconds=20.0))


@pytest.mark.parametrize("server", [ALONE], indirect=True)
def test_no_answer_is_stale_or_foreign_and_none_is_lost_without_need(server: Valkey) -> None:
    class Machine(CacheMachine):
        def __init__(self) -> None:
            super().__init__(server.url)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.parametrize("server", [ALONE], indirect=True)
@pytest.mark.parametrize("new_documents_seconds", [0.0, 600.0])
def test_nor_in_a_long_history(server: Valkey, new_documents_seconds: float) -> None:
    """Far more of it than a shrinking search gets to, mostly of requests."""
    chance, machine = Random(7), CacheMachine(server.url)
    machine.begin(new_documents_seconds)
    try:
        for _ in range(4_000):
            waited = chance.choice([None, 600.0])
            tenant, key, index = chance.choice(TENANTS), chance.choice(KEYS), chance.randrange(30)
            what = {name: chance.choice(HOW) for name in chance.sample(DOCUMENTS, chance.choice([1, 1, 2]))}
            actions: list[tuple[float, Callable[[], None]]] = [
                (40, partial(machine.ask, tenant, key, chance.random() < 0.8, waited, chance.choice(THEN))),
                (8, partial(machine.look_up, tenant, key)),
                (10, partial(machine.write, tenant, what, chance.random() < 0.8)),
                (6, partial(machine.announce_late_or_again, tenant, index)),
                (6, partial(machine.confirm, tenant, chance.random() < 0.3)),
                (3, partial(machine.end_trust, tenant)),
                (0.5, partial(machine.announce_what_nobody_can_name, tenant)),
                (8, partial(machine.settle_late, index, chance.choice(["entry", "entry", "shared", "nothing"]))),
                (3, partial(machine.leader_is_gone, tenant, key)),
                (1.5, partial(machine.evict, tenant, chance.choice([0, 0, 1, 1, 1, 2, 3, 4, 5]))),
                (0.3, partial(machine.flush, tenant)),
                (1, partial(machine.erase, tenant, chance.choice(DOCUMENTS))),
                (0.3, partial(machine.erase_tenant, tenant)),
            ]
            chance.choices([action for _, action in actions], [weight for weight, _ in actions])[0]()
            machine.what_changed_is_not_kept()
        assert machine.hits > 300, "it shows nothing where nothing is served"
    finally:
        machine.teardown()
