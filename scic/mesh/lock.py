"""One mesh a data directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from scic.mesh.errors import MeshError
from scic.mesh.paths import MeshPaths
from scic.mesh.state import read_state


@contextmanager
def only_mesh(paths: MeshPaths) -> Iterator[None]:
    """Hold the directory's lock; raises MeshError where another mesh holds it. The kernel frees it at any death."""
    with paths.lock.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(paths.state)
            who = f" (supervisor pid {state.pid}, edge {state.edge})" if state else ""
            raise MeshError(
                f"A mesh already runs in {paths.data_dir}{who}: see `scic status`, or stop it with `scic down`."
            ) from None
        yield
