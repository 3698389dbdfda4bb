"""Whose recipe a request gets, and what that costs."""

import dataclasses
from collections import Counter

import pytest

from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.built_in import BuiltInProfiles
from tests.unit.gateway.profiles.kit import BASE, SHARED, gateway, operator

OTHER = "0123456789abcdef"


async def refusal(library, reference, tenant="acme"):
    with pytest.raises(ScicError) as caught:
        await library.resolve(tenant, reference, "u")
    return caught.value


async def test_where_nothing_was_published_the_built_in_one_answers():
    async with gateway() as g:
        for reference in ("", "default", "default@live"):
            resolved = await g.library.resolve("acme", reference, "u")
            assert (resolved.profile, resolved.label, resolved.variant) == (BASE, "", "main")


async def test_the_tenants_own_then_the_shared_one_then_the_built_in_one():
    async with gateway() as g:
        await g.publish("house", tenant=SHARED, name="default")
        assert await g.instructions("") == "house"
        await g.publish("acme", name="default")
        assert await g.instructions("") == "acme"
        assert await g.instructions("default", tenant="zenith") == "house"
        assert await g.instructions("default", tenant=SHARED) == "house"


async def test_without_a_tenant_that_shares_a_tenant_is_a_wall():
    async with gateway(shared_tenant=None) as g:
        version = await g.publish("zenith's", tenant="zenith")
        for reference in ("support", "support@live", f"support@{version}"):
            assert (await refusal(g.library, reference)).reason == "UNKNOWN_PROFILE"


async def test_a_label_or_a_version_can_be_named():
    async with gateway() as g:
        first = await g.publish("first")
        second = await g.publish("second")
        await g.move("next", {second: 100})
        live = await g.library.resolve("acme", "support", "u")
        assert (live.profile.instructions, live.profile.version) == ("first", first)
        assert (live.profile.name, live.label, live.variant) == ("support", "live", "main")
        labelled = await g.library.resolve("acme", "support@next", "u")
        assert (labelled.profile.instructions, labelled.label, labelled.variant) == ("second", "next", "main")
        pinned = await g.library.resolve("acme", f"support@{second}", "u")
        assert (pinned.profile.instructions, pinned.label, pinned.variant) == ("second", "", "pinned")


async def test_a_shared_version_can_be_pinned():
    async with gateway() as g:
        version = await g.publish("house", tenant=SHARED)
        assert await g.instructions(f"support@{version}") == "house"


async def test_a_canary_gets_its_share_and_a_conversation_stays_with_it():
    async with gateway() as g:
        main, canary = await g.publish("main"), await g.publish("canary")
        await g.move("live", {main: 80, canary: 20})
        units = [f"c{number}" for number in range(500)]
        first = [(await g.library.resolve("acme", "support", unit)) for unit in units]
        assert {(each.profile.instructions, each.variant) for each in first} == {("main", "main"), ("canary", "canary")}
        assert 60 < Counter(each.variant for each in first)["canary"] < 140
        await g.move("live", {canary: 40, main: 60})
        for unit, before in zip(units, first, strict=True):
            if before.variant == "canary":
                assert await g.instructions("support", unit=unit) == "canary"


async def test_a_tenant_can_be_the_canary():
    async with gateway() as g:
        main, canary = await g.publish("main", tenant=SHARED), await g.publish("canary", tenant=SHARED)
        moved = await g.move("live", {main: 100, canary: 0}, tenant=SHARED)
        moved.label.variants[1].tenants.append("acme")
        await g.move_to(moved.label, tenant=SHARED)
        assert await g.instructions("support") == "canary"
        assert (await g.library.resolve("acme", "support", "u")).variant == "canary"
        assert await g.instructions("support", tenant="zenith") == "main"


@pytest.mark.parametrize(
    "reference",
    [
        "mail",
        "support@old",
        f"support@{OTHER}",
        "default@canary",
        "support@live~1",
        "../acme",
        "support@",
        "S",
        "é" * 9,
    ],
)
async def test_what_names_nothing_is_refused_with_the_names_there_are(reference):
    async with gateway() as g:
        await g.publish("house", tenant=SHARED, name="house-style")
        await g.publish("first")
        await g.publish("second")
        error = await refusal(g.library, reference)
        assert (error.reason, error.metadata["valid"]) == ("UNKNOWN_PROFILE", "default, house-style, support")
        assert [violation.field for violation in error.field_violations] == ["profile"]


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("mail", "there is no profile 'mail'; there are: default, house-style, support"),
        ("support@old", "support has no label 'old'; there are: live, next"),
        ("house-style@next", "house-style has no label 'next'; there are: live"),
        (
            f"support@{OTHER}",
            f"support has no version {OTHER}; it may have been removed, as old ones without a label are",
        ),
        ("support@live~1", "a request follows support@live as it is now; name the version that it was before"),
        ("default@canary", "nothing was published as default, so it has neither labels nor versions"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_what_there_is(reference, sentence):
    async with gateway() as g:
        await g.publish("house", tenant=SHARED, name="house-style")
        version = await g.publish("first")
        await g.move("next", {version: 100})
        assert (await refusal(g.library, reference)).message == sentence


async def test_a_request_costs_no_look_into_the_storage():
    async with gateway() as g:
        version = await g.publish("x", tenant=SHARED)
        references = ("", "support", f"support@{version}")
        for reference in references:
            await g.library.resolve("acme", reference, "u")
        g.store.calls = 0
        for number in range(50):
            for reference in references:
                await g.library.resolve("acme", reference, f"u{number}")
        assert g.store.calls == 0


async def test_another_gateway_follows_and_the_one_that_moved_sees_it_at_once():
    async with gateway() as mover, gateway(mover.store) as other:
        first, second = await mover.publish("first"), await mover.publish("second")
        assert await other.instructions("support") == "first"
        await mover.move("live", {second: 100}, expected_generation=1)
        assert await mover.instructions("support") == "second"
        other.clock.seconds = 1.5
        await other.instructions("support")
        await other.read_ahead()
        assert await other.instructions("support") == "second"
        await mover.move("live", {first: 100})
        other.clock.seconds = 60
        assert await other.instructions("support") == "first", "after a pause at once"


async def test_a_gateway_that_slept_through_many_moves_follows():
    """The move after the one that it knows was made and forgotten meanwhile."""
    async with gateway() as mover, gateway(mover.store) as other:
        first, second = await mover.publish("first"), await mover.publish("second")
        assert await other.instructions("support") == "first"
        for number in range(25):
            await mover.move("live", {(second, first)[number % 2]: 100})
        other.clock.seconds = 60
        assert await other.instructions("support") == "second"


async def test_to_see_that_nothing_moved_takes_no_listing():
    async with gateway() as g:
        await g.publish("first")
        await g.instructions("support")
        g.store.calls, g.store.listings, g.clock.seconds = 0, 0, 1.5
        await g.instructions("support")
        await g.read_ahead()
        assert (g.store.calls, g.store.listings) == (2, 0)


async def test_an_erased_tenant_has_nothing_and_others_keep_theirs():
    async with gateway() as g:
        version, other = await g.publish("acme's"), await g.publish("acme's other")
        await g.publish("zenith's", tenant="zenith")
        await g.move("live", {other: 100})
        assert await g.library.erase_tenant("acme") == 4
        for reference in ("support", f"support@{version}"):
            assert (await refusal(g.library, reference)).reason == "UNKNOWN_PROFILE"
        assert await g.store.names("acme") == []
        assert await g.instructions("support", tenant="zenith") == "zenith's"
        assert await g.library.erase_tenant("acme") == 0
        assert await BuiltInProfiles(BASE).erase_tenant("acme") == 0


async def test_what_is_published_first_is_seen_though_it_was_asked_for_before():
    async with gateway() as g:
        request = pb.PublishProfileRequest(name="support", profile=pb.Profile(instructions="first"), validate_only=True)
        version = (await g.publisher.publish(operator("acme"), request)).version.version
        for reference in ("support", f"support@{version}"):
            await refusal(g.library, reference)
        assert await g.publish("first") == version
        for reference in ("support", f"support@{version}"):
            assert await g.instructions(reference) == "first"


async def test_while_the_storage_is_away_what_is_known_answers():
    async with gateway() as g:
        version = await g.publish("first")
        references = ("", "support", f"support@{version}")
        for reference in references:
            await g.library.resolve("acme", reference, "u")
        g.store.away = True
        for g.clock.seconds in (0.5, 3.0, 10.0, 100_000.0):
            assert [await g.instructions(reference) for reference in references[1:]] == ["first"] * 2
            assert (await g.library.resolve("acme", "", "u")).profile is BASE
            await g.read_ahead()
        for unknown in ("mail", "support@next", "support@0123456789abcdef"):
            assert (await refusal(g.library, unknown)).reason == "STORAGE_UNAVAILABLE"


async def test_a_version_is_read_into_a_recipe_once():
    async with gateway() as g:
        await g.publish("first")
        one, other = [(await g.library.resolve("acme", "support", unit)).profile for unit in "ab"]
        assert one is other


async def test_the_servers_own_profile_fills_in_what_a_recipe_leaves_open():
    async with gateway(base=dataclasses.replace(BASE, model="gpt-4", pin_patterns=("x",))) as g:
        await g.publish("first")
        profile = (await g.library.resolve("acme", "support", "u")).profile
        assert (profile.model, profile.pin_patterns) == ("gpt-4", ("x",))


async def test_a_gateway_without_a_storage_has_the_built_in_one_alone():
    library = BuiltInProfiles(BASE)
    for reference in ("", "default", "default@live"):
        assert (await library.resolve("acme", reference, "u")).profile is BASE
    for reference in ("support", "default@canary", f"default@{OTHER}", "../x"):
        error = await refusal(library, reference)
        assert (error.reason, error.metadata["valid"]) == ("UNKNOWN_PROFILE", "default")
