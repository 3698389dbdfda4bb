"""The example that submits a batch does what it says."""

import os
import subprocess
import sys
from pathlib import Path

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import job_service_pb2 as pb
from tests.unit.cli.job_server import event, served

ROOT = Path(__file__).resolve().parents[3]


def test_the_example_prints_what_comes_of_each_question(tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("Why?\nHow?\n", encoding="utf-8")
    with served() as server:
        server.streams = [[event("1-0", item_count=2), event("2-0", "SUCCEEDED", item_count=2, done_count=2)]]
        server.results = [
            pb.JobResult(index=0, context=context.BuildContextResponse(tokens=context.TokenUsage(total=900))),
            pb.JobResult(index=1, error=errors.to_status(errors.UNKNOWN_PROFILE.error("there is no such profile"))),
        ]
        done = subprocess.run(
            [sys.executable, "examples/batch.py", server.address, str(tmp_path / "questions.txt")],
            cwd=ROOT,
            env={**os.environ, "SCIC_API_KEY": "k", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "0 of 2 done",
        "2 of 2 done",
        "Why?: 900 tokens",
        "How?: there is no such profile",
    ]
