"""Valkey's configuration on a laptop."""

from pathlib import Path


def render(*, port: int, password: str, directory: Path) -> str:
    """The configuration file of a Valkey server on loopback.

    Memory is bounded, and eviction is `volatile-lru`: only what carries an expiry may go, such as cached contexts.
    What must stay has none and is not dropped to make room for a cache, as `allkeys-lru` would. The append-only file is
    flushed every second: a crash of the machine may lose that second, kill -9 of the process loses nothing that was
    written.
    """
    quoted = str(directory).replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(
        (
            "bind 127.0.0.1",
            f"port {port}",
            # Loopback is open to every user of the machine; the contexts in here are not.
            f"requirepass {password}",
            f'dir "{quoted}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory 256mb",
            "maxmemory-policy volatile-lru",
            "",
        )
    )
