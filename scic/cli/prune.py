"""Which stored documents an ingested folder no longer has."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from scic.client import Client

_DELETED_AT_ONCE = 1000


class PruneError(Exception):
    """Nothing can be pruned; the text is a sentence for the person at the terminal."""


def prefixes(paths: Sequence[Path]) -> list[str]:
    """What the ids of all documents of the folders among `paths` begin with, as `scic ingest` names them.

    Raises PruneError where there is no folder, or one whose documents have no such beginning.
    """
    found = list(_prefixes(paths))
    if not found:
        raise PruneError("there is no folder to prune; name one")
    return found


def _prefixes(paths: Sequence[Path]) -> Iterator[str]:
    here = Path.cwd()
    for path in paths:
        folder = Path(os.path.abspath(path))  # noqa: PTH100  # as in `discover`: links keep their names
        if not folder.is_dir():
            continue
        if folder == here:
            # Its ids begin with anything, as do those of every other project that was ingested from its own folder.
            raise PruneError("the working directory cannot be pruned; name it from the folder above")
        yield f"{(folder.relative_to(here) if folder.is_relative_to(here) else folder).as_posix().rstrip('/')}/"


async def delete_unsent(client: Client, beginnings: Sequence[str], sent: Collection[str]) -> int:
    """Deletes the documents whose ids begin so and were not sent; returns how many there were."""
    stale = [
        document.document_id
        async for document in client.list_documents(page_size=1000)
        if document.document_id.startswith(tuple(beginnings)) and document.document_id not in sent
    ]
    deleted = 0
    for start in range(0, len(stale), _DELETED_AT_ONCE):
        response = await client.delete_documents(stale[start : start + _DELETED_AT_ONCE])
        deleted += len(response.deleted_document_ids)
    return deleted
