"""Stops the mesh of a data directory from another process."""

import psutil

from scic.mesh.errors import MeshError
from scic.mesh.identity import children_of, kill, supervisor_of
from scic.mesh.paths import MeshPaths
from scic.mesh.state import read_state

# The supervisor bounds each of its six stop groups by fifteen seconds.
_STOP_SECONDS = 95.0


def stop_mesh(paths: MeshPaths) -> bool:
    """Stop it in order and wait until no process is left; False if none ran. Raises MeshError if one survives."""
    state = read_state(paths.state)
    if state is None:
        return False
    supervisor = supervisor_of(state)
    left = children_of(state)
    if supervisor is not None:
        try:
            supervisor.terminate()
            supervisor.wait(timeout=_STOP_SECONDS)
        except psutil.NoSuchProcess:
            pass  # it ended by itself just now
        except psutil.TimeoutExpired:
            kill([supervisor])
        # Processes that it started again meanwhile stand in a later state, if it had to be killed.
        later = read_state(paths.state)
        left += children_of(later) if later is not None else []
    kill(left)
    survivors = [process.pid for process in left if process.is_running()]
    if survivors:
        raise MeshError(f"These processes could not be stopped: {', '.join(map(str, survivors))}.")
    paths.state.unlink(missing_ok=True)
    return supervisor is not None or bool(left)
