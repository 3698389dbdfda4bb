"""Moves of labels: who wins, what is refused, what is kept."""

import asyncio

import pytest

from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from tests.unit.gateway.profiles.kit import SHARED, gateway, operator

NOBODY = "0123456789abcdef"


async def refusal(move):
    with pytest.raises(ScicError) as caught:
        await move
    return caught.value


async def test_a_move_says_what_was_and_what_is():
    async with gateway() as g:
        first, second = await g.publish("first"), await g.publish("second")
        moved = await g.move("live", {first: 25, second: 75})
        assert [(v.version, v.percent) for v in moved.before.variants] == [(first, 100)]
        assert [(v.version, v.percent) for v in moved.label.variants] == [(first, 25), (second, 75)]
        assert (moved.before.generation, moved.label.generation, moved.label.key_id) == (1, 2, "ci")
        assert moved.label.update_time.ToSeconds() > 0
        new = await g.move("next", {second: 100}, expected_generation=0)
        assert (new.HasField("before"), new.label.generation) == (False, 1)


@pytest.mark.parametrize("expected", [0, 1, 3, 99])
async def test_a_caller_that_saw_another_generation_moves_nothing(expected):
    async with gateway() as g:
        first, second = await g.publish("first"), await g.publish("second")
        await g.move("live", {second: 100})
        error = await refusal(g.move("live", {first: 100}, expected_generation=expected))
        assert (error.reason, error.metadata["generation"]) == ("LABEL_MOVED", "2")
        assert await g.instructions("support") == "second"
        await g.move("live", {first: 100}, expected_generation=2)


async def test_a_move_to_where_the_label_is_makes_no_generation():
    """Also where it was seen before that move: the same move sent again, whose first answer was lost on its way."""
    async with gateway() as g:
        first, second = await g.publish("first"), await g.publish("second")
        moved = await g.move("live", {first: 90, second: 10}, expected_generation=1)
        for expected in (1, 2, None):
            again = await g.move("live", {first: 90, second: 10}, expected_generation=expected)
            assert (again.label, again.before) == (moved.label, moved.label)
        assert (await g.store.generations("acme", "support"))["live"] == [1, 2]
        error = await refusal(g.move("live", {first: 91, second: 9}, expected_generation=1))
        assert error.reason == "LABEL_MOVED", "other shares are another move"


async def test_of_those_who_saw_the_same_generation_one_moves_the_label():
    async with gateway() as one, gateway(one.store) as other:
        _, *versions = [await one.publish(f"v{number}") for number in range(7)]
        moves = [
            (one, other)[number % 2].move("live", {version: 100}, expected_generation=1)
            for number, version in enumerate(versions)
        ]
        outcomes = await asyncio.gather(*moves, return_exceptions=True)
        won = [outcome for outcome in outcomes if isinstance(outcome, pb.SetLabelResponse)]
        assert len(won) == 1
        assert {o.reason for o in outcomes if isinstance(o, ScicError)} == {"LABEL_MOVED"}
        (live,) = await one.catalogue.labels("acme", "support")
        assert live == won[0].label


async def test_those_who_expect_nothing_all_move_it_one_after_the_other():
    async with gateway() as g:
        _, *versions = [await g.publish(f"v{number}") for number in range(6)]
        moved = await asyncio.gather(*(g.move("live", {version: 100}) for version in versions))
        assert sorted(each.label.generation for each in moved) == [2, 3, 4, 5, 6]
        by_generation = {each.label.generation: each.label for each in moved}
        for each in moved:
            if each.label.generation > 2:
                assert each.before == by_generation[each.label.generation - 1]


async def test_a_move_that_comes_too_late_changes_nothing_although_its_number_is_free():
    """While it hung, others moved the label so often that its generation was made, and forgotten."""
    async with gateway() as slow, gateway(slow.store) as fast:
        first, second, third = [await slow.publish(text) for text in ("first", "second", "third")]

        async def meanwhile():
            for number in range(25):
                await fast.move("live", {(third, first)[number % 2]: 100})

        slow.store.before["create_generation"] = meanwhile
        error = await refusal(slow.move("live", {second: 100}, expected_generation=1))
        assert (error.reason, error.metadata["generation"]) == ("LABEL_MOVED", "26")
        assert (await slow.catalogue.labels("acme", "support"))[0].variants[0].version == third
        assert (await slow.store.generations("acme", "support"))["live"] == list(range(7, 27))


async def test_twenty_moves_are_kept_and_can_be_looked_at():
    async with gateway() as g:
        versions = [await g.publish(f"v{number}") for number in range(30)]
        for version in versions[1:]:
            await g.move("live", {version: 100})
        assert (await g.store.generations("acme", "support"))["live"] == list(range(11, 31))
        for back in (1, 19):
            found = await g.catalogue.find("acme", f"support@live~{back}", field="profile")
            assert found.version.version == versions[-1 - back]
            assert found.labels[0].generation == 30 - back
        error = await refusal(g.catalogue.find("acme", "support@live~20", field="profile"))
        assert error.reason == "PROFILE_NOT_FOUND"


@pytest.mark.parametrize(
    ("label", "variants", "fields"),
    [
        pytest.param("live", [("first", 60), ("second", 30)], ["variants"], id="shares below 100"),
        pytest.param("live", [("first", 60), ("second", 40.1)], ["variants"], id="shares above 100"),
        pytest.param("live", [("first", 50), ("first", 50)], ["variants[1].version"], id="version twice"),
        pytest.param("live", [("first", 50), (NOBODY, 50)], ["variants[1].version"], id="no such version"),
        pytest.param("abcdefabcdefabcd", [("first", 100)], ["label"], id="label like a version"),
        pytest.param(
            "live", [("first", 100, "zenith")], ["variants[0].tenants"], id="tenants of a label that is not shared"
        ),
        pytest.param(
            "abcdefabcdefabcd",
            [(NOBODY, 1), ("first", 1, "z")],
            ["label", "variants", "variants[0].version", "variants[1].tenants"],
            id="several",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(label, variants, fields):
    async with gateway() as g:
        versions = {"first": await g.publish("first"), "second": await g.publish("second")}
        request = pb.SetLabelRequest(name="support", label=label)
        for version, percent, *tenants in variants:
            request.variants.add(version=versions.get(version, version), percent=percent, tenants=tenants)
        error = await refusal(g.labels.move(operator("acme"), request))
        assert error.reason == "INVALID_FIELD"
        assert sorted(violation.field for violation in error.field_violations) == fields
        assert await g.instructions("support") == "first"


async def test_a_tenant_is_in_one_variant():
    async with gateway() as g:
        first, second = await g.publish("first", tenant=SHARED), await g.publish("second", tenant=SHARED)
        label = pb.Label(name="support", label="live")
        label.variants.add(version=first, percent=100, tenants=["acme", "zenith"])
        label.variants.add(version=second, percent=0, tenants=["acme"])
        error = await refusal(g.move_to(label, tenant=SHARED))
        assert [violation.field for violation in error.field_violations] == ["variants[1].tenants"]


async def test_thirds_sum_to_a_hundred():
    async with gateway() as g:
        versions = [await g.publish(text) for text in "abc"]
        await g.move("live", dict(zip(versions, (33.33, 33.33, 33.34), strict=True)))


async def test_versions_of_another_tenant_or_name_are_none_of_ours():
    async with gateway() as g:
        theirs, other = await g.publish("theirs", tenant="zenith"), await g.publish("other", name="mail")
        await g.publish("ours")
        for version in (theirs, other):
            assert (await refusal(g.move("live", {version: 100}))).reason == "INVALID_FIELD"
