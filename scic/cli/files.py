"""Which files `scic ingest` sends, and under which names.

A document's id is its path below the working directory, with `/` between the parts; what lies elsewhere has its whole
path. So a file has one id however it is named on the command line, no two files share one, and the same command, given
again in the same place, finds the same documents.

Titles are left to the gateway: it knows a document's first heading.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scic.content_type import DOCUMENTS

MAX_BYTES = 4 * 1024 * 1024
"""Largest document that the gateway takes."""

_SKIPPED_FOLDERS = {
    "__pycache__": "compiled code",
    "node_modules": "installed packages",
    "site-packages": "installed packages",
    "venv": "installed packages",
}
_SKIPPED_ENDINGS = {
    "-lock.yaml": "lock file",
    "_pb2.py": "generated code",
    "_pb2.pyi": "generated code",
    "_pb2_grpc.py": "generated code",
    "_pb2_grpc.pyi": "generated code",
    ".pb.go": "generated code",
    ".min.js": "minified code",
}
_DOCUMENT_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to send."""

    path: Path
    """Absolute."""
    document_id: str
    content_type: str
    size_bytes: int
    metadata: Mapping[str, str]
    """`path`: the document's id, to filter by."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is left out on purpose."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file or folder that cannot be read, or not be sent."""

    path: Path
    reason: str


Finding = FoundFile | Skipped | Failed


class PathNotFoundError(Exception):
    """A path that was asked for does not exist; the text is a sentence for the person at the terminal."""


def discover(paths: Sequence[Path]) -> Iterator[Finding]:
    """What files and folders hold: in the order given, folders sorted by name. Nothing found twice is found again.

    Links are followed. A file or folder named in `paths` is taken even if a walk would pass it by as hidden or
    generated; a file named there that is of no use is a failure. Raises PathNotFoundError, before anything else is
    done, if one of the paths does not exist.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise PathNotFoundError(f"{path} does not exist.")
    return _Walk().findings([Path(os.path.abspath(path)) for path in paths])  # noqa: PTH100  # resolve() follows links


def read_content(file: FoundFile) -> bytes | Failed:
    """A file's content, at least one byte and at most `MAX_BYTES`; or why there is none."""
    try:
        with file.path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Failed(file.path, _sentence(error))
    return _unfit(file.path, len(content)) or content


class _Walk:
    """One walk, which remembers where it has been."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def findings(self, given: Sequence[Path]) -> Iterator[Finding]:
        for path in given:
            waiting = [path]
            while waiting:
                found = self._look(waiting.pop(), given=path)
                if isinstance(found, list):
                    waiting.extend(reversed(found))
                else:
                    yield found

    def _look(self, path: Path, *, given: Path) -> Finding | list[Path]:
        """What a path is; for a folder, what is in it."""
        try:
            status = path.stat()
            is_folder = stat.S_ISDIR(status.st_mode)
            if path != given and (reason := _passed_by(path.name, is_folder=is_folder)):
                return Skipped(path, reason)
            real = os.path.realpath(path)
            if real in self._seen:
                return Skipped(path, "found before")
            self._seen.add(real)
            if is_folder:
                return sorted(path.iterdir())
        except OSError as error:
            return Failed(path, _sentence(error))
        found = _file(path, status)
        return Failed(path, found.reason) if isinstance(found, Skipped) and path == given else found


def _passed_by(name: str, *, is_folder: bool) -> str | None:
    if name.startswith("."):
        return "hidden"
    if is_folder:
        return "installed packages" if name.endswith(".egg-info") else _SKIPPED_FOLDERS.get(name)
    return next((reason for ending, reason in _SKIPPED_ENDINGS.items() if name.endswith(ending)), None)


def _file(path: Path, status: os.stat_result) -> Finding:
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "not a regular file")
    content_type = DOCUMENTS.get(path.suffix.lower())
    if content_type is None:
        return Skipped(path, f"no text that can be read by structure ({path.suffix or 'no suffix'})")
    if not status.st_size:
        return Skipped(path, "empty")
    if unfit := _unfit(path, status.st_size):
        return unfit
    here = Path.cwd()
    document_id = (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
    if not _DOCUMENT_ID.fullmatch(document_id):
        return Failed(path, "its path is longer than 256 characters, or has control characters or broken UTF-8")
    return FoundFile(path, document_id, content_type, status.st_size, {"path": document_id})


def _unfit(path: Path, size: int) -> Failed | None:
    if not size:
        return Failed(path, "empty")
    if size > MAX_BYTES:
        return Failed(path, f"larger than {MAX_BYTES // 1024**2} MiB")
    return None


def _sentence(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
