"""The store of profiles, on a folder and in memory: what it promises to whoever writes and reads at the same time."""

import asyncio
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from obstore.store import LocalStore, MemoryStore

from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.placement import place
from services.gateway.profiles.store import ObjectProfileStore
from services.gateway.profiles.version import normalised, version_of

A, B = "a" * 16, "b" * 16


@pytest.fixture(params=["folder", "memory"])
def storage(request, tmp_path):
    return LocalStore(tmp_path / "objects", mkdir=True) if request.param == "folder" else MemoryStore()


@pytest.fixture
def store(storage):
    return ObjectProfileStore(storage)


def version(name="support", version=A, text="Answer."):
    return pb.ProfileVersion(name=name, version=version, profile=pb.Profile(instructions=text), key_id="ci")


def moved(generation, label="live", name="support", version=A):
    variants = [pb.Variant(version=version, percent=60, tenants=["zenith"]), pb.Variant(version=B, percent=40)]
    message = pb.Label(name=name, label=label, variants=variants, generation=generation, key_id="ci")
    message.update_time.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC))
    return place(message, None)


async def test_a_version_is_stored_once_and_never_changed(store):
    assert await store.create_version("acme", version())
    assert not await store.create_version("acme", version(text="Another text."))
    assert await store.read_version("acme", "support", A) == version()


async def test_of_many_who_store_it_at_once_one_does(store):
    outcomes = await asyncio.gather(*(store.create_version("acme", version(text=f"{n}")) for n in range(20)))
    assert outcomes.count(True) == 1
    assert (await store.read_version("acme", "support", A)).profile.instructions == str(outcomes.index(True))


async def test_what_is_not_there(store):
    assert await store.read_version("acme", "support", A) is None
    assert await store.read_label("acme", "support", "live") is None
    assert await store.read_generation("acme", "support", "live", 1) is None
    assert (await store.versions("acme", "support"), await store.generations("acme", "support")) == ({}, {})
    assert await store.names("acme") == []
    await store.delete_version("acme", "support", A)
    await store.delete_generation("acme", "support", "live", 1)


async def test_listings_are_those_of_the_name_and_the_tenant(store):
    for tenant in ("acme", "acme-2"):
        for name in ("support", "support-2"):
            await store.create_version(tenant, version(name))
            await store.create_generation(tenant, moved(1, name=name))
            await store.create_generation(tenant, moved(1, name=name, label="live-2"))
    await store.create_version("acme", version(version=B))
    assert await store.names("acme") == ["support", "support-2"]
    assert sorted(await store.versions("acme", "support")) == [A, B]
    assert await store.generations("acme", "support") == {"live": [1], "live-2": [1]}
    assert (await store.read_label("acme", "support", "live")).label.label == "live"


async def test_when_a_version_was_written_last(store):
    await store.create_version("acme", version())
    first = (await store.versions("acme", "support"))[A]
    assert abs(datetime.now(UTC) - first).total_seconds() < 3600, "in this time zone"
    await asyncio.sleep(0.02)
    await store.write_version("acme", version())
    assert (await store.versions("acme", "support"))[A] > first


async def test_the_newest_generation_is_the_label(store):
    for generation in (1, 2, 9, 10, 11, 100):
        assert await store.create_generation("acme", moved(generation))
    assert not await store.create_generation("acme", moved(10, version=B))
    assert await store.read_label("acme", "support", "live") == moved(100)
    assert await store.read_generation("acme", "support", "live", 10) == moved(10)
    await store.delete_generation("acme", "support", "live", 100)
    assert await store.read_label("acme", "support", "live") == moved(11)
    assert await store.generations("acme", "support") == {"live": [1, 2, 9, 10, 11]}


async def test_whether_a_label_was_moved_since(store):
    assert not await store.is_newest("acme", moved(1))
    await store.create_generation("acme", moved(1))
    assert await store.is_newest("acme", moved(1))
    await store.create_generation("acme", moved(2))
    assert not await store.is_newest("acme", moved(1))
    await store.create_generation("acme", moved(3))
    await store.delete_generation("acme", "support", "live", 1)
    await store.delete_generation("acme", "support", "live", 2)
    assert not await store.is_newest("acme", moved(1)), "the next one is not there, but was"


async def test_what_is_erased_is_gone_and_others_stay(store):
    for tenant in ("acme", "acme-2"):
        await store.create_version(tenant, version())
        await store.create_generation(tenant, moved(1))
    assert await store.erase("acme") == 2
    assert (await store.versions("acme", "support"), await store.generations("acme", "support")) == ({}, {})
    assert len(await store.versions("acme-2", "support")) == 1
    assert await store.erase("acme") == 0


async def test_of_many_who_move_a_label_one_does(store):
    outcomes = await asyncio.gather(*(store.create_generation("acme", moved(2)) for _ in range(20)))
    assert outcomes.count(True) == 1


async def test_a_removed_version_is_gone(store):
    await store.create_version("acme", version())
    await store.delete_version("acme", "support", A)
    assert await store.read_version("acme", "support", A) is None
    assert await store.create_version("acme", version())


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"{}", b'{"label": {"name": 3}, "runs": []}'])
async def test_a_broken_object_is_said_and_no_bug(tmp_path, content):
    store = ObjectProfileStore(LocalStore(tmp_path))
    await store.create_generation("acme", moved(1))
    (path,) = (tmp_path / "acme/profiles/support/labels/live").iterdir()
    path.write_bytes(content)
    with pytest.raises(ScicError) as caught:
        await store.read_label("acme", "support", "live")
    assert caught.value.reason == "STORAGE_UNAVAILABLE"


async def test_a_storage_that_fails_is_said(tmp_path):
    store = ObjectProfileStore(LocalStore(tmp_path))
    (tmp_path / "acme").write_text("a file where a folder should be")
    for call in (
        store.create_version("acme", version()),
        store.read_version("acme", "support", A),
        store.create_generation("acme", moved(1)),
    ):
        with pytest.raises(ScicError) as caught:
            await call
        assert caught.value.reason == "STORAGE_UNAVAILABLE"


async def test_a_storage_that_hangs_is_given_up(storage):
    store = ObjectProfileStore(storage, timeout_seconds=0)
    with pytest.raises(ScicError) as caught:
        await store.read_version("acme", "support", A)
    assert caught.value.reason == "STORAGE_UNAVAILABLE"


PUBLISH_WITHOUT_END = """
import asyncio, sys
from obstore.store import LocalStore
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.store import ObjectProfileStore
from services.gateway.profiles.placement import place
from services.gateway.profiles.version import normalised, version_of

async def main():
    store = ObjectProfileStore(LocalStore(sys.argv[1], mkdir=True))
    now = await store.read_label("acme", "support", "live")
    number = now.label.generation if now else 0
    while True:
        number += 1
        recipe = normalised(pb.Profile(instructions=f"{number} " + "x" * 200_000))
        version = pb.ProfileVersion(name="support", version=version_of(recipe), profile=recipe)
        await store.create_version("acme", version)
        label = pb.Label(name="support", label="live", generation=number)
        label.variants.add(version=version.version, percent=100)
        await store.create_generation("acme", place(label, now))
        await store.write_version("acme", version)
        print(number, flush=True)

asyncio.run(main())
"""


def publish_until_killed(folder, seconds):
    """Runs a publisher for a while after its first success; the last generation that it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISH_WITHOUT_END, str(folder)], stdout=subprocess.PIPE, text=True
    ) as publisher:
        assert publisher.stdout is not None
        first = publisher.stdout.readline()
        time.sleep(seconds)
        publisher.send_signal(signal.SIGKILL)
        return max(map(int, [first, *publisher.stdout]))


async def test_a_publisher_that_is_killed_leaves_every_object_whole(tmp_path):
    """SIGKILL in the middle of writing, again and again; what was acknowledged is there, and nothing is torn."""
    folder = tmp_path / "objects"
    store = ObjectProfileStore(LocalStore(folder, mkdir=True))
    for round_ in range(4):
        acknowledged = await asyncio.to_thread(publish_until_killed, folder, 0.05 + 0.013 * round_)
        now = await store.read_label("acme", "support", "live")
        assert now is not None
        assert now.label.generation >= acknowledged > round_
        kept = (await store.generations("acme", "support"))["live"]
        assert kept == list(range(1, now.label.generation + 1))
        for generation in kept:
            placed = await store.read_generation("acme", "support", "live", generation)
            assert placed is not None
            found = await store.read_version("acme", "support", placed.main.version)
            assert found is not None
            assert version_of(normalised(found.profile)) == placed.main.version
        for name in await store.versions("acme", "support"):
            written = await store.read_version("acme", "support", name)
            assert written is not None
            assert version_of(written.profile) == name
