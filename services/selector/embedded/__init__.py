"""The embedded store: one SQLite database a tenant is the truth, a snapshot in memory answers the searches."""

from services.selector.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
