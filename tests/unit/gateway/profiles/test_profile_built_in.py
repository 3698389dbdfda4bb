"""The built-in profile as people look at it."""

import dataclasses

import pytest

from scic.errors import ScicError
from services.gateway.profiles.built_in import built_in_version
from services.gateway.profiles.check import mistakes
from services.gateway.profiles.recipe import domain_profile
from services.gateway.sources.declarations import declared_sources
from tests.unit.gateway.profiles.kit import BASE, SHARED, gateway, no_tokens

BASES = [
    pytest.param(BASE, id="built in"),
    pytest.param(
        dataclasses.replace(
            BASE,
            encoding="cl100k_base",
            sources=declared_sources(
                '{"docs": {"min_share": 0.3, "max_share": 0.7}, "history": {"default": false},'
                ' "mail": {"default": true, "required": true, "priority": 1}}'
            ),
        ),
        id="as settings declare it",
    ),
]


@pytest.mark.parametrize("base", BASES)
def test_what_is_shown_is_what_answers(base):
    recipe = built_in_version(base).profile
    assert mistakes(recipe, base, no_tokens) == []
    assert domain_profile(base.name, base.version, recipe, base) == base


async def test_a_shared_one_that_answers_in_its_place_is_said_and_not_shown():
    async with gateway() as g:
        assert (await g.catalogue.find("acme", "default", field="profile")).version.profile.instructions
        await g.publish("house", tenant=SHARED, name="default")
        with pytest.raises(ScicError, match="the one that all tenants share answers") as caught:
            await g.catalogue.find("acme", "default", field="profile")
        assert caught.value.reason == "PROFILE_NOT_FOUND"
        own = await g.catalogue.find(SHARED, "default", field="profile")
        assert own.version.profile.instructions == "house"
