"""Fields of the API, and what is expected of them, in the words of the command line."""

import re
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from scic import errors
from scic.cli.field_words import in_options, in_words
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import job_service_pb2 as jobs
from services.chassis.interceptors.validation import check

ROOT = Path(__file__).resolve().parents[3]
PROTOS = [path for folder in ("gateway", "type") for path in (ROOT / "protos/scic" / folder / "v1").glob("*.proto")]
PATTERNS = sorted(
    {
        found.replace(r"\\", "\\")
        for path in PROTOS
        for found in re.findall(r'pattern[:=\s]+"(.*?)"', path.read_text(encoding="utf-8"))
    }
)
WORK = jobs.ContextBatch(requests=[context.BuildContextRequest(question="Why?")])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_of_the_api_is_shown(pattern: str) -> None:
    told = in_words(f"does not match regex pattern `{pattern}`")
    assert told.startswith("must be ")
    assert not set("^$[]{}`") & set(told)


def test_other_expectations_stay() -> None:
    assert in_words("must be at most 32 characters") == "must be at most 32 characters"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        pytest.param(
            context.BuildContextRequest(
                question="Why?", cache=cache_pb2.CacheDirective(max_age=Duration(seconds=800_000))
            ),
            "--max-age: must be 0 s to 7 d",
            id="a time",
        ),
        pytest.param(
            context.PlanContextRequest(context=context.BuildContextRequest(question="Why?", max_tokens=-1)),
            "--max-tokens: must be 0 to 1,000,000",
            id="of a plan",
        ),
        pytest.param(
            jobs.SubmitJobRequest(contexts=WORK, retention=Duration(seconds=5), max_attempts=99),
            "--attempts: must be 0 to 10; --retention: must be 60 s to 7 d",
            id="of a job",
        ),
        pytest.param(
            jobs.SubmitJobRequest(contexts=WORK, request_id="night 1"),
            "--request-id: must be at most 64 letters, digits, '.', '_', ':' or '-'",
            id="a pattern",
        ),
        pytest.param(
            context.CompressTextRequest(
                question="Why?", text="So.", max_tokens=0, pin_patterns=["a", "x" * 2000, "y" * 2000]
            ),
            "--max-tokens: must be above 0 and at most 1,000,000; "
            "--pin (number 2): must be at most 256 characters; --pin (number 3): must be at most 256 characters",
            id="of several options",
        ),
        pytest.param(
            context.BuildContextRequest(question=" "),
            "question: must not be empty or only white space",
            id="what is no option",
        ),
    ],
)
def test_a_refusal_names_what_was_typed(request_: Message, sentence: str) -> None:
    with pytest.raises(errors.ScicError) as refusal:
        check(request_)
    assert in_options(refusal.value) == sentence


def test_a_field_is_an_option_wherever_it_stands_in_the_sentence() -> None:
    error = errors.BUDGET_TOO_SMALL.error(
        "max_tokens is 50, but the prompt needs 80", field_violations=[("max_tokens", "must be at least 80")]
    )
    assert in_options(error) == "--max-tokens is 50, but the prompt needs 80"
