"""Object storage: a folder, or a bucket of S3, GCS or Azure, through one library."""

from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

_FOLDER = "file://"
_MEMORY = "memory://"


class StorageUrlError(ValueError):
    """The URL names no storage; the message says what is expected."""


def open_storage(url: str) -> ObjectStore:
    """The storage of a URL: `file:///folder` (which is made), `s3://bucket/prefix`, `gs://…`, `az://…`, `memory://`.

    Credentials of buckets come from the environment, as their vendors' tools take them. Raises StorageUrlError.
    """
    try:
        if url.startswith(_FOLDER):
            folder = Path(url.removeprefix(_FOLDER))
            if not folder.is_absolute():
                raise StorageUrlError(f"{url!r} is no absolute folder; write file:///folder")
            # Folders that become empty go, as they do in a bucket.
            return LocalStore(folder, mkdir=True, automatic_cleanup=True)
        if url == _MEMORY:
            return MemoryStore()
        return from_url(url)
    except (BaseError, ValueError, OSError) as error:
        if isinstance(error, StorageUrlError):
            raise
        raise StorageUrlError(f"no storage: {error}") from error
