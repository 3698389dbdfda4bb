"""The mesh from start to stop: ingest this repository and a conversation, ask three questions, explain one of them.

`make demo` runs it. It uses a data directory and a port of its own, so a mesh that runs already is left alone.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCIC = (sys.executable, "-m", "scic.cli")
QUESTIONS = (
    "How does a service stop without losing requests?",
    "Which error does a request get whose token budget is too small?",
    "Why did the cached answer change after a file was ingested?",
)


def main() -> None:
    """Runs the demo; exits with the code of the first command that fails."""
    folder = Path(tempfile.mkdtemp(prefix="scic-demo-"))
    data = ("--data-dir", str(folder))
    try:
        run("up", *data, "--port", str(free_port()), "--detach")
        run("status", *data)
        run("ingest", "README.md", "docs", "protos/scic", "services", "scic", "examples/conversation.jsonl", *data)
        for question in QUESTIONS:
            run("context", question, "--max-tokens", "1600", *data)
        run("ledger", "list", *data)
        run("ledger", "show", *data)
        run("profiles", "publish", "examples/profiles/support.yaml", *data)
        run("ledger", "replay", "--profile", "support", *data)
    finally:
        # Whatever ended the demo, a closed pipe too: nothing is left running.
        subprocess.run([*SCIC, "down", *data], cwd=ROOT, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run(*arguments: str) -> None:
    """Runs a `scic` command and says how long it took."""
    print(f"\n$ scic {' '.join(repr(a) if ' ' in a else a for a in arguments)}", flush=True)
    start = time.monotonic()
    code = subprocess.run([*SCIC, *arguments], cwd=ROOT, check=False).returncode
    print(f"({time.monotonic() - start:.1f} s)", flush=True)
    if code:
        raise SystemExit(code)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
