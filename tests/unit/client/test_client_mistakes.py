"""What a newcomer passes by mistake, and the sentence that helps."""

import pytest

from scic.client import Client, context_request


def test_a_span_as_text_is_named() -> None:
    with pytest.raises(TypeError, match="a timedelta or a number of seconds, not '10m'"):
        context_request("Why?", max_tokens=100, max_age="10m")  # type: ignore[arg-type]  # the mistake


async def test_questions_alone_are_no_requests() -> None:
    async with Client("127.0.0.1:1", api_key="k") as client:
        with pytest.raises(TypeError, match=r"scic\.context_request.*, not 'Why\?'"):
            await client.submit_contexts(["Why?"])  # type: ignore[list-item]  # the mistake
