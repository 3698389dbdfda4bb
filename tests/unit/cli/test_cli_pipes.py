"""What a program reads of a command: whole lines, however long."""

import pytest

from scic.cli.output import output
from scic.cli.show import show_context
from scic.gateway.v1 import context_service_pb2 as context
from scic.type.v1 import message_pb2

DOCUMENT = f"{'long/' * 40}name.md"
BUILT = context.BuildContextResponse(
    request_id="r" * 64,
    messages=[message_pb2.Message(role=message_pb2.ROLE_USER, content="Why?")],
    evidence=[context.Evidence(citation=1, document_id=DOCUMENT, fate=context.Evidence.FATE_WHOLE)],
)


def test_a_pipe_gets_each_fact_in_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_context(output(), BUILT, explain=False)
    lines = capsys.readouterr().out.splitlines()
    assert any(DOCUMENT in line for line in lines)
    assert any(line.startswith("cache: ") and line.endswith(f" request {'r' * 64}") for line in lines)
    headings = [line for line in lines if "──" in line]
    assert headings
    assert all(len(line) == 80 for line in headings)
