"""Removes versions that nobody follows any more."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.gateway.profiles.catalogue import Catalogue
from services.gateway.profiles.ports import ProfileStore


class Retention:
    """Keeps the newest versions of a name, young ones, and all that a label leads to, or led to as far as is known.

    A label may be moved to a version while that is being removed. Whoever moves it looks at the version afterwards, and
    whoever removes it at the labels: the one that comes last sees what the other did, and puts the version back.

    Args:
        store: where they are.
        catalogue: what there is.
        keep_count: so many are kept however old they are.
        keep_age: younger ones are kept however many they are.
        now: the time, with its zone.
    """

    def __init__(
        self,
        store: ProfileStore,
        catalogue: Catalogue,
        *,
        keep_count: int,
        keep_age: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._keep_count = keep_count
        self._keep_age = keep_age
        self._now = now

    async def prune(self, tenant: str, name: str) -> None:
        """Removes what need not be kept. Raises ScicError STORAGE_UNAVAILABLE; the next publication goes on with it."""
        written = await self._store.versions(tenant, name)
        oldest_kept = self._now() - self._keep_age
        if len(written) <= self._keep_count or min(written.values()) >= oldest_kept:
            return
        old = [
            version
            for version in (await self._catalogue.versions(tenant, name))[self._keep_count :]
            if written.get(version.version, oldest_kept) < oldest_kept
        ]
        followed = await self._catalogue.followed(tenant, name)
        removed = [version for version in old if version.version not in followed]
        for version in removed:
            await self._store.delete_version(tenant, name, version.version)
        followed = await self._catalogue.followed(tenant, name)
        for version in removed:
            if version.version in followed:
                await self._store.create_version(tenant, version)
