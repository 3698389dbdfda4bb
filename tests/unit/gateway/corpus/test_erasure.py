"""An erasure empties corpus, jobs, cache and ledger, says so, and goes on where one before it stopped."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from obstore.store import MemoryStore

from scic import errors
from scic.errors import ScicError
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.gateway.v1 import ledger_service_pb2 as records
from services.chassis.deadline import Deadline
from services.gateway.cache.ports import CacheEntry, CacheKey, CorpusChange
from services.gateway.callers.principal import Principal, Role
from services.gateway.corpus.announcer import Announcer
from services.gateway.corpus.erasure import Erasure, UnfinishedErasureError
from services.gateway.ledger.no_ledger import NoLedger
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.wiring import open_ledger
from services.gateway.profiles.built_in import BuiltInProfiles
from services.gateway.profiles.profile import default_profile
from tests.fake_cache import FakeCache
from tests.fakes import FakeJobs, FakeSelector
from tests.unit.gateway.ledger.records import ADMIN, Clock, record
from tests.waiting import eventually

ROLES = frozenset(Role)
OWNER = Principal("owner", "acme", ROLES, sees_all=True)
SALES = Principal("sales", "acme", ROLES, frozenset({"sales"}))
SOON = Deadline.after(60)

DELETE = pb.DeleteDocumentsRequest(document_ids=["a.md", "b.md"])
FORGET = pb.EraseSubjectRequest(subject="mueller")
EVERYTHING = pb.EraseTenantRequest(tenant="acme")


@dataclass
class FailingLedger:
    """A ledger whose storage can be taken away."""

    ledger: StoredLedger
    away: str = ""
    """What does not work: `begin`, or `erase`."""

    @property
    def keeps(self) -> bool:
        return True

    def _enter(self, what: str) -> None:
        if self.away == what:
            raise errors.STORAGE_UNAVAILABLE.error("away")

    def record(self, principal, record, common=b""):
        self.ledger.record(principal, record, common)

    async def get(self, principal, record_id):
        return await self.ledger.get(principal, record_id)

    async def list(self, principal, request):
        return await self.ledger.list(principal, request)

    async def begin_erasure(self, tenant, name):
        self._enter("begin")
        return await self.ledger.begin_erasure(tenant, name)

    async def end_erasure(self, tenant, name):
        await self.ledger.end_erasure(tenant, name)

    async def erase_documents(self, tenant, document_ids):
        self._enter("erase")
        return await self.ledger.erase_documents(tenant, document_ids)

    async def erase_tenant(self, tenant):
        self._enter("erase")
        return await self.ledger.erase_tenant(tenant)


BUILT_IN = BuiltInProfiles(default_profile("gpt-4o"))


@dataclass
class World:
    """Four places, and an erasure over them."""

    ledger: FailingLedger
    clock: Clock
    selector: FakeSelector = field(default_factory=FakeSelector)
    cache: FakeCache = field(default_factory=FakeCache)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    remembers: bool = True
    """Whether there is a ledger."""

    @property
    def erasure(self) -> Erasure:
        ledger = self.ledger if self.remembers else NoLedger()
        return Erasure(self.selector, self.cache, Announcer(self.cache), self.jobs, ledger, BUILT_IN)

    async def left(self) -> set[str]:
        """Questions of the records that are left."""
        response = await self.ledger.list(ADMIN, records.ListRecordsRequest())
        return {row.question for row in response.records}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock()
    async with open_ledger(MemoryStore(), None, days=7, max_records=1000, clock=clock) as ledger:
        world = World(FailingLedger(ledger), clock)
        for name, subjects in (("a.md", ["mueller"]), ("b.md", ["mueller"]), ("c.md", [])):
            world.selector.store("acme", name, "text", subjects=subjects)
        for number, names in enumerate((("a.md",), ("b.md", "c.md"), ("c.md",), ())):
            ledger.record(ADMIN, record(number, *names, question=" ".join(names) or "nothing"))
        await ledger.flush()
        yield world


async def run(world: World, what: str, principal: Principal = OWNER) -> pb.Receipt:
    erasure = world.erasure
    if what == "delete":
        return (await erasure.delete(principal, DELETE, SOON)).receipt
    if what == "subject":
        return (await erasure.erase_subject(principal, FORGET, SOON)).receipt
    return (await erasure.erase_tenant(principal, EVERYTHING, SOON)).receipt


@pytest.mark.parametrize(
    ("what", "erased", "left"),
    [
        pytest.param("delete", 2, {"c.md", "nothing"}, id="documents"),
        pytest.param("subject", 2, {"c.md", "nothing"}, id="subject"),
        pytest.param("tenant", 4, set(), id="tenant"),
    ],
)
async def test_a_receipt_names_the_ledger_and_what_went(world: World, what: str, erased: int, left: set[str]) -> None:
    receipt = await run(world, what)
    names = ["corpus", "cache", "jobs", "ledger", *(["profiles"] if what == "tenant" else [])]
    assert [place.name for place in receipt.places] == names
    assert receipt.places[3].entry_count == erased
    assert await world.left() == left


@pytest.mark.parametrize(
    ("what", "left"),
    [
        pytest.param("delete", {"c.md", "nothing"}, id="documents"),
        # Nobody knows any more which documents the subject had.
        pytest.param("subject", set(), id="subject"),
        pytest.param("tenant", set(), id="tenant"),
    ],
)
@pytest.mark.parametrize("place", ["cache", "ledger", "selector"])
async def test_the_same_call_again_goes_on(world: World, what: str, left: set[str], place: str) -> None:
    """By then the corpus knows none of the documents any more."""
    lost_answer = world.selector.delete, world.selector.erase
    if place == "selector":

        async def removes_and_breaks_off(request, *, timeout):
            await (lost_answer[0] if what == "delete" else lost_answer[1])(request, timeout=timeout)
            world.selector.away = True
            await world.selector.get_corpus_version(request, timeout=timeout)

        world.selector.delete = world.selector.erase = removes_and_breaks_off  # type: ignore[method-assign]  # a fake
    world.cache.away = place == "cache"
    world.ledger.away = "erase" if place == "ledger" else ""
    with pytest.raises(ScicError) as raised:
        await run(world, what)
    assert raised.value.reason == "STAGE_UNAVAILABLE"
    assert raised.value.metadata["stage"] == place
    assert isinstance(raised.value, UnfinishedErasureError) is (place != "selector")
    assert len(world.selector.documents) == (0 if what == "tenant" else 1)
    world.cache.away = world.selector.away = False
    world.ledger.away = ""
    world.selector.delete, world.selector.erase = lost_answer  # type: ignore[method-assign]  # a fake
    receipt = await run(world, what)
    assert receipt.places[0].document_count == 0
    if (what, place) == ("subject", "cache"):
        left = {"c.md", "nothing"}  # the first call knew them, and emptied the ledger of them
    assert await world.left() == left
    # What has ended is not gone on with.
    world.clock.now += 60
    world.ledger.record(ADMIN, record(9, "b.md", at=world.clock.now, question="later"))
    await world.ledger.ledger.flush()
    if what == "subject":
        await run(world, what)
        assert await world.left() == {"later"} | (left if place == "cache" else set())


async def test_nothing_is_erased_where_the_ledger_could_not_say_later_that_it_was(world: World) -> None:
    world.ledger.away = "begin"
    for what in ("delete", "subject"):
        with pytest.raises(ScicError) as raised:
            await run(world, what)
        assert (raised.value.reason, raised.value.metadata["stage"]) == ("STAGE_UNAVAILABLE", "ledger")
        assert not isinstance(raised.value, UnfinishedErasureError)
    assert len(world.selector.documents) == 3


async def test_of_more_documents_than_are_named_all_records_go(world: World) -> None:
    one = world.selector.erase

    async def erases_more_than_it_names(request, *, timeout):
        response = await one(request, timeout=timeout)
        response.document_count = 1001
        return response

    world.selector.erase = erases_more_than_it_names  # type: ignore[method-assign]  # a fake
    fill(world)
    receipt = await run(world, "subject")
    assert [place.entry_count for place in receipt.places] == [0, 3, 4, 4]
    assert await world.left() == set()


async def test_who_may_not_see_a_document_erases_no_record_of_it(world: World) -> None:
    world.selector.store("acme", "b.md", "text", groups=["board"])
    receipt = await run(world, "delete", SALES)
    assert [place.document_count for place in receipt.places][:1] == [1]
    assert await world.left() == {"b.md c.md", "c.md", "nothing"}


async def test_who_may_not_see_a_document_erases_no_record_of_it_by_a_call_that_broke_off(world: World) -> None:
    world.selector.store("acme", "b.md", "text", groups=["board"])
    world.selector.away = True
    with pytest.raises(ScicError):
        await run(world, "delete", SALES)
    world.selector.away = False
    await run(world, "delete", SALES)
    assert await world.left() == {"b.md c.md", "c.md", "nothing"}


async def test_without_a_ledger_there_is_none_to_empty(world: World) -> None:
    erasure = Erasure(world.selector, world.cache, Announcer(world.cache), world.jobs, NoLedger(), BUILT_IN)
    receipt = (await erasure.erase_subject(OWNER, FORGET, SOON)).receipt
    assert receipt.places[3] == pb.Receipt.Place(name="ledger")


def fill(world: World) -> None:
    """Replies and jobs that name the documents, and others."""
    for name in ("a.md", "b.md", "c.md"):
        world.cache.keep("acme", CacheKey(f"of {name}"), CacheEntry(b"reply", world.selector.version, [name], 0.1))
        world.jobs.held.append(("acme", name, ""))
    world.jobs.held.append(("acme", "d.md", "mueller"))
    world.cache.keep("other", CacheKey("theirs"), CacheEntry(b"reply", 1, ["a.md"], 0.1))
    world.jobs.held.append(("other", "a.md", "mueller"))


def kept(world: World) -> tuple[set[str], list[str]]:
    """Entries and jobs of the tenant that are left; of the other one nothing may be gone."""
    assert ("other", "theirs") in world.cache.entries
    assert ("other", "a.md", "mueller") in world.jobs.held
    entries = {exact for tenant, exact in world.cache.entries if tenant == "acme"}
    return entries, [name for tenant, name, _ in world.jobs.held if tenant == "acme"]


@pytest.mark.parametrize(
    ("what", "entries", "jobs"),
    [
        pytest.param("delete", {"of c.md"}, ["c.md", "d.md"], id="documents"),
        pytest.param("subject", {"of c.md"}, ["c.md"], id="subject"),
        pytest.param("tenant", set(), [], id="tenant"),
    ],
)
async def test_jobs_and_cache_lose_just_what_was_erased(
    world: World, what: str, entries: set[str], jobs: list[str]
) -> None:
    fill(world)
    receipt = await run(world, what)
    assert kept(world) == (entries, jobs)
    assert [place.entry_count for place in receipt.places[1:3]] == [3 - len(entries), 4 - len(jobs)]
    if what != "tenant":
        assert world.cache.floors == {}


@pytest.mark.parametrize("what", ["delete", "subject", "tenant"])
async def test_what_a_job_stores_while_it_is_erased_does_not_stay(world: World, what: str) -> None:
    fill(world)
    erase = world.jobs._erase

    def stores_first(goes):
        world.selector.store("acme", "b.md", "text", subjects=["mueller"], groups=["board"])
        return erase(goes)

    world.jobs._erase = stores_first  # type: ignore[method-assign]  # a fake
    receipt = await run(world, what)
    assert ("acme", "b.md") not in world.selector.documents
    assert receipt.places[0].document_count == (4 if what == "tenant" else 3)
    versions = [change.corpus_version for _, change in world.cache.changes]
    assert versions[-1] == world.selector.version
    assert await world.left() == (set() if what == "tenant" else {"c.md", "nothing"})


@pytest.mark.parametrize("what", ["delete", "subject", "tenant"])
async def test_what_a_worker_stores_that_had_not_stopped_goes_with_the_same_call_again(world: World, what: str) -> None:
    fill(world)
    erase = world.jobs._erase

    def goes_on(goes):
        erase(goes)
        raise errors.QUEUE_UNAVAILABLE.error("a worker has not said that it stopped")

    def stores_last(goes):
        world.selector.store("acme", "b.md", "text", subjects=["mueller"])
        return erase(goes)

    world.jobs._erase = goes_on  # type: ignore[method-assign]  # a fake
    with pytest.raises(UnfinishedErasureError) as raised:
        await run(world, what)
    assert raised.value.metadata["stage"] == "jobs"
    world.jobs._erase = stores_last  # type: ignore[method-assign]  # a fake
    await run(world, what)
    assert ("acme", "b.md") not in world.selector.documents


@pytest.mark.parametrize(
    ("what", "jobs", "left"),
    [
        pytest.param("delete", ["c.md", "d.md"], {"c.md", "nothing"}, id="documents"),
        pytest.param("subject", ["c.md"], {"c.md", "nothing"}, id="subject"),
        pytest.param("tenant", [], set(), id="tenant"),
    ],
)
async def test_the_other_places_are_emptied_where_the_corpus_cannot_be_emptied_again(
    world: World, what: str, jobs: list[str], left: set[str]
) -> None:
    """What a job has stored meanwhile goes with the same call again, and no more than that."""
    fill(world)
    erase = world.jobs._erase

    def stores_first(goes):
        world.selector.store("acme", "b.md", "text", subjects=["mueller"])
        world.selector.away = True
        return erase(goes)

    world.jobs._erase = stores_first  # type: ignore[method-assign]  # a fake
    with pytest.raises(UnfinishedErasureError) as raised:
        await run(world, what)
    assert raised.value.metadata["stage"] == "corpus"
    assert [change.corpus_version for _, change in world.cache.changes] == [world.selector.version - 1]
    assert kept(world) == (set(), jobs)  # no reply is left, since it may have been emptied
    assert await world.left() == left
    world.jobs._erase, world.selector.away = erase, False  # type: ignore[method-assign]  # a fake
    receipt = await run(world, what)
    assert receipt.places[0].document_count == 1
    assert ("acme", "b.md") not in world.selector.documents
    assert kept(world) == (set(), jobs)
    assert await world.left() == left


@pytest.mark.parametrize(
    ("what", "entries", "jobs"),
    [
        pytest.param("delete", {"of c.md"}, ["c.md", "d.md"], id="documents"),
        # Nobody knows any more which documents the subject had.
        pytest.param("subject", set(), [], id="subject"),
        pytest.param("tenant", set(), [], id="tenant"),
    ],
)
@pytest.mark.parametrize("place", ["cache", "jobs"])
async def test_the_same_call_again_empties_the_place_that_was_away(
    world: World, what: str, entries: set[str], jobs: list[str], place: str
) -> None:
    fill(world)
    world.cache.away, world.jobs.away = place == "cache", place == "jobs"
    with pytest.raises(UnfinishedErasureError) as raised:
        await run(world, what)
    assert raised.value.metadata["stage"] == place
    assert {name for tenant, name in world.selector.documents if tenant == "acme"} == (
        set() if what == "tenant" else {"c.md"}
    )
    world.cache.away = world.jobs.away = False
    receipt = await run(world, what)
    if place == "cache":
        jobs = ["c.md"] if what == "subject" else jobs  # the first call knew them
    else:
        entries = {"of c.md"} if what == "subject" else entries
    assert kept(world) == (entries, jobs)
    assert receipt.places[0].document_count == 0
    assert await world.left() == (set() if what == "tenant" else {"c.md", "nothing"})


async def test_without_a_ledger_a_call_that_finds_nothing_is_taken_for_one_that_goes_on(world: World) -> None:
    world.remembers = False
    fill(world)
    world.cache.away = True
    for what in ("delete", "subject"):
        with pytest.raises(UnfinishedErasureError):
            await run(world, what)
    world.cache.away = False
    await run(world, "delete")
    assert kept(world)[0] == {"of c.md"}
    await run(world, "subject")
    assert kept(world) == (set(), ["c.md"])


async def test_who_may_not_see_a_document_ends_no_reply_and_no_job_of_it(world: World) -> None:
    fill(world)
    world.selector.store("acme", "b.md", "text", groups=["board"])
    await run(world, "delete", SALES)
    assert kept(world) == ({"of b.md", "of c.md"}, ["b.md", "c.md", "d.md"])


async def test_where_the_cache_is_away_it_hears_of_it_later(world: World) -> None:
    fill(world)
    world.cache.away = True
    async with Announcer(world.cache, retry_seconds=0) as announcer:
        erasure = Erasure(world.selector, world.cache, announcer, world.jobs, world.ledger, BUILT_IN)
        with pytest.raises(UnfinishedErasureError):
            await erasure.delete(OWNER, DELETE, SOON)
        world.cache.away = False
        change = CorpusChange(3, 4, ["a.md", "b.md"])
        await eventually("the change is announced", lambda: world.cache.changes == [("acme", change)])


@pytest.mark.parametrize("what", ["delete", "subject", "tenant"])
async def test_where_the_selectors_answer_is_lost_nothing_of_the_tenant_is_trusted(world: World, what: str) -> None:
    fill(world)
    world.selector.away = True
    with pytest.raises(ScicError):
        await run(world, what)
    assert kept(world)[0] == set()
    assert world.cache.epochs["acme"] == 1
