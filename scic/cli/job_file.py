"""A file of requests for contexts: JSON lines, a list in YAML, or questions."""

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from google.protobuf.json_format import ParseDict, ParseError

from scic.cli.strict_yaml import load
from scic.gateway.v1 import context_service_pb2 as pb

_NO_REQUEST = 'must be a request in JSON, such as {"question": "Why?"}; of plain questions, one a line, say --questions'
_FIELDS: Final = tuple(pb.BuildContextRequest.DESCRIPTOR.fields_by_name)
_PREFIX: Final = re.compile(r"Failed to parse (\w+) field: ")
_PLACE: Final = re.compile(r' at "?BuildContextRequest\.([^"\s]*?)\.*"?\.?$')


_MEANING: Final = (
    (
        re.compile(r"invalid literal for int\(\).*|Couldn't parse integer.*|int\(\) argument must.*"),
        "must be a whole number",
    ),
    (re.compile(r"repeated field \w+ must be in \[\].*"), "must be a list"),
    (re.compile(r"'\w+' object is not iterable.*"), "must be an object with named fields"),
    (re.compile(r'Message type "[\w.]+" has no field named "(.*?)".*'), r"has no field \1"),
)
"""What protobuf says of a value, and what that means."""


class Item(NamedTuple):
    """A request, and where it stands."""

    place: str
    """`line 3`, or `item 3` of a list."""
    request: pb.BuildContextRequest


class RequestFile(NamedTuple):
    """What stands in a file."""

    items: list[Item]
    """The requests that could be read."""
    mistakes: list[tuple[str, str]]
    """Places, such as `line 3` or `line 3: max_tokens`, and what is wrong there."""


def read_requests(text: str, file: str, *, questions: bool) -> RequestFile:
    """Reads a file that is called `file`; one that ends in .yaml or .yml is a list.

    Raises ScicError INVALID_FIELD for what is no YAML.
    """
    if questions:
        lines = ((f"line {number}", line.strip()) for number, line in _lines(text))
        return RequestFile([Item(place, pb.BuildContextRequest(question=line)) for place, line in lines], [])
    if PurePath(file).suffix.lower() in {".yaml", ".yml"}:
        content = load(text, file)
        if not isinstance(content, list):
            return RequestFile([], [(file, "must be a list of requests")])
        return _read((f"item {number}", item) for number, item in enumerate(content, 1))
    return _read((f"line {number}", _value(line)) for number, line in _lines(text))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines: a question may hold what Unicode calls a line end.
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _value(line: str) -> Any:
    """What a line says; None where it is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _read(entries: Iterator[tuple[str, Any]]) -> RequestFile:
    found = RequestFile([], [])
    for place, fields in entries:
        if not isinstance(fields, dict):
            found.mistakes.append((place, _NO_REQUEST))
        elif unknown := [str(name) for name in fields if name not in _FIELDS]:
            found.mistakes.extend((f"{place}: {name}", _unknown(name)) for name in unknown)
        else:
            try:
                found.items.append(Item(place, ParseDict(_named(fields), pb.BuildContextRequest())))
            except ParseError as error:
                field, sentence = _explained(str(error))
                found.mistakes.append((f"{place}: {field}", sentence))
    return found


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """With sources that are written as `scic context --source` takes them, `docs` or `docs:5`, as messages."""
    sources = fields.get("sources")
    if not isinstance(sources, list):
        return fields
    return fields | {"sources": [_source(source) if isinstance(source, str) else source for source in sources]}


def _source(text: str) -> dict[str, Any]:
    name, colon, limit = text.rpartition(":")
    return {"name": name, "limit": int(limit)} if colon and limit.isdecimal() else {"name": text}


def _unknown(name: str) -> str:
    close = get_close_matches(name.lower(), _FIELDS, n=1)
    return "is not known" + (f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(_FIELDS)}")


def _explained(said: str) -> tuple[str, str]:
    """The field that protobuf could not read, and why, without its own words for where it was."""
    sentence = said.splitlines()[0].rstrip(".")
    path = ""
    while prefix := _PREFIX.match(sentence):
        path = f"{path}.{prefix[1]}" if path else prefix[1]
        sentence = sentence[prefix.end() :]
    if place := _PLACE.search(sentence):
        path, sentence = place[1], sentence[: place.start()]
    for form, meaning in _MEANING:
        if found := form.fullmatch(sentence):
            return path, found.expand(meaning)
    return path, sentence
