"""What publishing stores, and what it removes; also where others do the same at the same time."""

import asyncio
from datetime import timedelta

import pytest

from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from tests.unit.gateway.profiles.kit import Storage, gateway, operator

YEAR = timedelta(days=365)


def request(text="Answer.", **fields):
    return pb.PublishProfileRequest(name="support", profile=pb.Profile(instructions=text), **fields)


async def test_the_first_version_of_a_name_answers_and_later_ones_do_not():
    async with gateway() as g:
        first = await g.publisher.publish(operator("acme"), request("first"))
        assert (first.created, list(first.version.labels), first.version.key_id) == (True, ["live"], "ci")
        assert first.version.profile == pb.Profile(instructions="first")
        assert first.version.HasField("create_time")
        second = await g.publisher.publish(operator("acme"), request("second"))
        assert (second.created, list(second.version.labels)) == (True, [])
        assert await g.instructions("support") == "first"


async def test_the_same_recipe_is_the_same_version_whoever_publishes_it():
    async with gateway() as g, gateway(g.store) as other:
        first = await g.publisher.publish(operator("acme"), request())
        other.calendar.ahead = YEAR
        again = await other.publisher.publish(operator("acme"), request())
        assert (again.created, again.version) == (False, first.version)


async def test_many_who_publish_the_same_at_once_publish_one_version():
    async with gateway() as g, gateway(g.store) as other:
        replies = await asyncio.gather(
            *((g, other)[n % 2].publisher.publish(operator("acme"), request()) for n in range(8))
        )
        assert [reply.created for reply in replies].count(True) == 1
        assert len({reply.version.version for reply in replies}) == 1
        assert (await g.store.generations("acme", "support")) == {"live": [1]}


async def test_a_dry_run_stores_nothing():
    async with gateway() as g:
        planned = await g.publisher.publish(operator("acme"), request(validate_only=True))
        assert (planned.created, planned.version.HasField("create_time")) == (True, False)
        assert await g.store.names("acme") == []
        published = await g.publish("Answer.")
        assert published == planned.version.version
        again = await g.publisher.publish(operator("acme"), request(validate_only=True))
        assert (again.created, list(again.version.labels)) == (False, ["live"])


@pytest.mark.parametrize("validate_only", [False, True])
async def test_a_recipe_with_mistakes_is_not_stored(validate_only):
    async with gateway() as g:
        bad = request(validate_only=validate_only)
        bad.profile.sources.add(name="mail")
        with pytest.raises(ScicError, match=r"profile\.sources\[0\]\.name"):
            await g.publisher.publish(operator("acme"), bad)
        assert await g.store.names("acme") == []


async def test_a_writer_that_died_between_version_and_label_is_made_up_for():
    async with gateway() as g:
        version = await g.publish("first")
        await g.store.delete_generation("acme", "support", "live", 1)
        assert await g.publish("first") == version
        assert await g.instructions("support") == "first"


async def test_old_versions_go_beyond_those_that_are_kept():
    async with gateway(keep_count=3, keep_days=30) as g:
        live, *others = [await g.publish(f"v{number}") for number in range(6)]
        assert len(await g.versions()) == 6, "they are young"
        g.calendar.ahead = timedelta(days=31)
        newest = await g.publish("v6")
        assert await g.versions() == [newest, *reversed(others[-2:]), live], "and what live leads to"


async def test_young_versions_stay_however_many_they_are():
    async with gateway(keep_count=1, keep_days=30) as g:
        live, *others = [await g.publish(f"v{number}") for number in range(6)]
        g.store.ages = {version: timedelta(days=31) for version in (live, *others[:2])}
        newest = await g.publish("v6")
        assert set(await g.versions()) == {newest, *others[2:], live}


async def test_what_is_published_again_is_as_young_as_what_is_new():
    async with gateway(keep_count=2, keep_days=30) as g:
        versions = [await g.publish(f"v{number}") for number in range(4)]
        await g.publish("v1")
        g.calendar.ahead = timedelta(days=31)
        newest = await g.publish("v4")
        assert await g.versions() == [newest, versions[1], versions[0]]


async def test_every_move_that_is_kept_can_be_undone():
    async with gateway(keep_count=1, keep_days=1) as g:
        versions = [await g.publish(f"v{number}") for number in range(24)]
        for version in versions[1:]:
            await g.move("live", {version: 100})
        g.calendar.ahead = YEAR
        newest = await g.publish("newest")
        assert set(await g.versions()) == {*versions[4:], newest}


@pytest.mark.parametrize("moment", ["delete_version", "create_generation"])
async def test_a_label_that_is_moved_while_its_version_is_removed_finds_it(moment):
    """Whichever comes last, the removal or the move."""
    async with gateway(keep_count=1, keep_days=30) as pruner, gateway(pruner.store) as mover:
        old = [await pruner.publish(f"v{number}") for number in range(3)][1]
        pruner.calendar.ahead = YEAR

        async def move():
            await mover.move("live", {old: 100})

        async def prune():
            await pruner.retention.prune("acme", "support")

        if moment == "delete_version":
            pruner.store.before[moment] = move
            await prune()
        else:
            pruner.store.before[moment] = prune
            await move()
        assert old in await pruner.versions()
        async with gateway(pruner.store) as fresh:
            assert await fresh.instructions("support") == "v1"


async def test_a_version_that_was_removed_while_it_was_published_again_is_there():
    async with gateway(keep_count=1, keep_days=30) as pruner, gateway(pruner.store) as publisher:
        old = [await pruner.publish(f"v{number}") for number in range(3)][1]
        pruner.calendar.ahead = YEAR

        async def prune():
            await pruner.retention.prune("acme", "support")
            assert old not in await pruner.versions()

        pruner.store.before["write_version"] = prune
        assert await publisher.publish("v1") == old
        assert old in await publisher.versions()


async def test_a_storage_that_goes_away_after_the_publication_fails_nothing():
    async with gateway(keep_count=1, keep_days=1) as g:
        for number in range(3):
            await g.publish(f"v{number}")
        g.calendar.ahead = YEAR
        reply = await g.publisher.publish(operator("acme"), request("last"))
        g.store.away = True
        await g.finish()
        g.store.away = False
        assert reply.version.version in await g.versions()
        await g.publish("another")
        assert len(await g.versions()) == 2, "the next publication goes on with it"


async def test_a_storage_that_is_away_is_said():
    store = Storage()
    store.away = True
    async with gateway(store) as g:
        with pytest.raises(ScicError) as caught:
            await g.publish("first")
        assert caught.value.reason == "STORAGE_UNAVAILABLE"
