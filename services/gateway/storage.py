"""Object storage: a folder, or a bucket of S3, GCS or Azure, through one library."""

from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

_FOLDER = "file://"
_EXPECTED = "file:///folder, s3://bucket/prefix, gs://… or az://…"


class StorageUrlError(ValueError):
    """The URL names no storage; the message says what is expected."""


def open_storage(url: str) -> ObjectStore:
    """The storage of a URL: `file:///folder` (which is made), `s3://bucket/prefix`, `gs://…`, `az://…`.

    Credentials of buckets come from the environment, as their vendors' tools take them. Raises StorageUrlError.
    """
    folder = Path(url.removeprefix(_FOLDER))
    if url.startswith(_FOLDER) and not folder.is_absolute():
        raise StorageUrlError(f"is no absolute folder; expected: {_EXPECTED}")
    try:
        if url.startswith(_FOLDER):
            # Folders that become empty go, as they do in a bucket.
            return LocalStore(folder, mkdir=True, automatic_cleanup=True)
        return from_url(url)
    except (BaseError, ValueError, OSError) as error:
        # Its text may quote a password.
        raise StorageUrlError(f"is no storage ({type(error).__name__}); expected: {_EXPECTED}") from None
