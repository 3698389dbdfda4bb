"""Recipes of requests that were resolved of late, so that what is asked again and again is not worked out each time."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.callers.principal import Principal
from services.gateway.guard.guard import Screen
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.recipes.fingerprint import terms_of
from services.gateway.recipes.recipe import Recipe

_MOST = 4_096
_LARGEST_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class _Key:
    """Everything that a recipe is made of."""

    request: bytes
    """Its terms, serialized."""

    profile: int
    """Of the profile's object, which the recipe holds: while it is known, no other has that identity."""

    groups: frozenset[str]
    sees_all: bool


class KnownRecipes:
    """The recipes used last; of requests that are short, and in which the guard found nothing to mask."""

    def __init__(self) -> None:
        self._recipes: OrderedDict[_Key, Recipe] = OrderedDict()

    def find(self, principal: Principal, request: pb.BuildContextRequest, resolved: ResolvedProfile) -> Recipe | None:
        """The recipe of a request, as far as another like it was resolved for a caller who may see the same."""
        key = _key(principal, request, resolved)
        known = self._recipes.get(key)
        if known is None:
            return None
        self._recipes.move_to_end(key)
        # For each hit: `replace` takes three times as long.
        return Recipe(
            request=known.request,
            shown=request,
            resolved=resolved,
            screen=known.screen,
            encoding=known.encoding,
            budget=known.budget,
            key=known.key,
            known=True,
        )

    def add(
        self,
        principal: Principal,
        request: pb.BuildContextRequest,
        resolved: ResolvedProfile,
        recipe: Recipe,
        screen: Screen,
    ) -> None:
        """Notes the recipe of a request, if it may be known.

        `screen` has read nothing: that of the request goes on to learn what passages hold, which is kept nowhere.
        """
        if recipe.screen.masks or request.ByteSize() > _LARGEST_BYTES:
            return
        self._recipes[_key(principal, request, resolved)] = replace(recipe, screen=screen, known=True)
        if len(self._recipes) > _MOST:
            self._recipes.popitem(last=False)


def _key(principal: Principal, request: pb.BuildContextRequest, resolved: ResolvedProfile) -> _Key:
    asked = terms_of(request).SerializeToString(deterministic=True)
    return _Key(asked, id(resolved.profile), principal.groups, principal.sees_all)
