"""The laptop mesh: starts Valkey, the four services, a worker and Envoy as processes, keeps them alive, and stops them.

The services are reached by command line only (`python -m services.<name>`): nothing here imports them. Importing this
package loads none of the engines; `packages.check_packages` says in one sentence what a client-only install lacks.
"""

from scic.mesh.errors import MeshError
from scic.mesh.options import MeshOptions, default_data_dir
from scic.mesh.paths import MeshPaths
from scic.mesh.state import MeshState, ProcessRecord, read_state

__all__ = ["MeshError", "MeshOptions", "MeshPaths", "MeshState", "ProcessRecord", "default_data_dir", "read_state"]
