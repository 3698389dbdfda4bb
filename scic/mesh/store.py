"""Which store the selectors of a data directory use, remembered from one start to the next."""

from enum import StrEnum

from scic.mesh.files import write_private
from scic.mesh.paths import MeshPaths


class Store(StrEnum):
    """Where the selectors keep passages."""

    EMBEDDED = "embedded"
    """Files that the selectors of one machine share."""
    WEAVIATE = "weaviate"
    """A Weaviate server: the mesh starts one, or uses the one that WEAVIATE_URL names."""


def chosen_store(paths: MeshPaths, wanted: Store | None) -> Store:
    """The store that was asked for, else the one of the last start, else the embedded one."""
    return wanted or _last(paths) or Store.EMBEDDED


def hidden_documents(paths: MeshPaths, wanted: Store | None) -> str | None:
    """A sentence for whoever starts a used directory with the other store than before; None where nothing changes."""
    last, store = _last(paths), chosen_store(paths, wanted)
    if last is None or last is store:
        return None
    return (
        f"Documents that were ingested into the {last} store are not visible with the {store} store: "
        f"`scic up --store {last}` shows them again."
    )


def remember_store(paths: MeshPaths, store: Store) -> None:
    """Make this store the default of the next start."""
    write_private(paths.store, f"{store}\n")


def _last(paths: MeshPaths) -> Store | None:
    try:
        return Store(paths.store.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        # A directory from before there was a choice: what is in it is in the embedded store.
        return Store.EMBEDDED if paths.selector.is_dir() and any(paths.selector.iterdir()) else None
