"""Builds the Weaviate server that tests and laptops use, unless it is there: `python tools/install_weaviate.py`.

It needs Go; the first build takes about five minutes on two cores and 4 GB of Go's caches.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scic.mesh.weaviate import GO_MODULE, VERSION, find_program


def is_there(go: str | None, program: Path | None) -> bool:
    """Whether the program is installed in the right version; one that nobody can ask is taken as it is."""
    if program is None or go is None:
        return program is not None
    said = subprocess.run((go, "version", "-m", str(program)), capture_output=True, text=True, check=False)
    return said.returncode != 0 or f"\tv{VERSION}\t" in said.stdout


def main() -> None:
    """Install it; the exit code is Go's."""
    go, program = shutil.which("go"), find_program(os.environ)
    if os.environ.get("WEAVIATE_URL") or is_there(go, program):
        return
    if go is None:
        sys.exit(f"Go is missing: install it, or set WEAVIATE_URL to a Weaviate {VERSION} that runs.")
    print(f"Building Weaviate {VERSION}: about five minutes.", flush=True)
    sys.exit(subprocess.run((go, "install", GO_MODULE), check=False).returncode)


if __name__ == "__main__":
    main()
