"""In what two contexts differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import profile_service_pb2 as profiles
from scic.type.v1 import message_pb2

_REQUEST_FIELDS = tuple(
    field.name for field in context.BuildContextRequest.DESCRIPTOR.fields if field.name != "request_id"
)
"""All that shapes the reply."""

_REPLY_FIELDS = (
    "model",
    "encoding",
    "profile",
    "profile_version",
    "profile_label",
    "corpus_version",
    "cache",
    "degradations",
    "prefix_token_count",
)

_ABSENT = pb.ContextDiff.PassageState(fate="ABSENT")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What became of a candidate."""

    state: pb.ContextDiff.PassageState
    title: str
    text: str


def diff(before: pb.Record, after: pb.Record) -> pb.ContextDiff:
    """What differs in request and reply, apart from what differs always: names, times, durations.

    Where a request failed there is no reply to compare: the field `outcome` says what came of each.
    """
    # What failed before the guard had read it has no text and says nothing of what was asked, but the budget.
    both_kept = before.request.question and after.request.question
    asked = _fields("request", _REQUEST_FIELDS if both_kept else ("max_tokens",), before.request, after.request)
    if before.HasField("error") or after.HasField("error"):
        return pb.ContextDiff(fields=[*asked, *_outcome(before, after)])
    old, new = before.response, after.response
    return pb.ContextDiff(
        fields=[*asked, *_fields("response", _REPLY_FIELDS, old, new)],
        passages=_passages(_candidates(old), _candidates(new)),
        sections=_sections(old.tokens, new.tokens),
        quality_before=old.quality if old.HasField("quality") else None,
        quality_after=new.quality if new.HasField("quality") else None,
    )


def _outcome(before: pb.Record, after: pb.Record) -> Iterator[profiles.FieldChange]:
    old, new = _came_of(before), _came_of(after)
    if old != new:
        yield profiles.FieldChange(field="outcome", before=_json(old), after=_json(new))


def _came_of(record: pb.Record) -> str:
    if not record.HasField("error"):
        return "answered"
    error = errors.from_status(record.error)
    return f"{error.reason}: {error.message}"


def _fields(path: str, names: tuple[str, ...], before: Message, after: Message) -> Iterator[profiles.FieldChange]:
    old, new = _values(before, names), _values(after, names)
    for name in names:
        if old.get(name) != new.get(name):
            yield profiles.FieldChange(field=f"{path}.{name}", before=old.get(name, ""), after=new.get(name, ""))


def _values(message: Message, names: tuple[str, ...]) -> dict[str, str]:
    """The fields that are set, as JSON."""
    chosen = type(message)()
    for field, value in message.ListFields():
        if field.name not in names:
            continue
        if field.is_repeated:
            getattr(chosen, field.name).extend(value)
        elif field.message_type is not None:
            getattr(chosen, field.name).CopyFrom(value)
        else:
            setattr(chosen, field.name, value)
    whole = MessageToDict(chosen, preserving_proto_field_name=True)
    return {name: _json(value) for name, value in whole.items()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _candidates(response: context.BuildContextResponse) -> dict[str, _Candidate]:
    """All candidates by their passage, evidence first, in the order of the prompt."""
    candidates = dict[str, _Candidate]()
    for item in response.evidence:
        state = pb.ContextDiff.PassageState(
            citation=item.citation,
            fate=context.Evidence.Fate.Name(item.fate).removeprefix("FATE_"),
            token_count=item.token_count,
            score=item.score.value,
        )
        candidates[item.passage_id] = _Candidate(state, " > ".join(item.title_path), item.text)
    for dropped in response.dropped:
        reason = context.DroppedPassage.Reason.Name(dropped.reason).removeprefix("REASON_")
        state = pb.ContextDiff.PassageState(fate=f"DROPPED: {reason}", score=dropped.score.value)
        candidates.setdefault(dropped.passage_id, _Candidate(state, " > ".join(dropped.title_path), ""))
    return candidates


def _passages(before: dict[str, _Candidate], after: dict[str, _Candidate]) -> Iterator[pb.ContextDiff.PassageChange]:
    missing = _Candidate(_ABSENT, "", "")
    for passage_id in dict.fromkeys((*after, *before)):
        old, new = before.get(passage_id, missing), after.get(passage_id, missing)
        text_changed = old.text != new.text
        # A place in the prompt and a score that moved a little say nothing of the passage itself.
        if (old.state.fate, old.state.token_count) != (new.state.fate, new.state.token_count) or text_changed:
            yield pb.ContextDiff.PassageChange(
                passage_id=passage_id,
                title=new.title or old.title,
                before=old.state,
                after=new.state,
                text_changed=text_changed,
            )


def _sections(before: context.TokenUsage, after: context.TokenUsage) -> Iterator[pb.ContextDiff.SectionChange]:
    old = {item.section: item.token_count for item in before.sections}
    new = {item.section: item.token_count for item in after.sections}
    for section in message_pb2.Section.values():
        if old.get(section, 0) != new.get(section, 0):
            yield pb.ContextDiff.SectionChange(section=section, before=old.get(section, 0), after=new.get(section, 0))
