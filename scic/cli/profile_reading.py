"""Turns what a person wrote into a recipe, and says what is wrong with it, all of it."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from scic.cli.duration import span
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2

_TYPES: Mapping[int, tuple[tuple[type, ...], str]] = {
    FieldDescriptor.CPPTYPE_STRING: ((str,), "text; put it in quotes"),
    FieldDescriptor.CPPTYPE_INT32: ((int,), "a whole number"),
    FieldDescriptor.CPPTYPE_FLOAT: ((int, float), "a number"),
    FieldDescriptor.CPPTYPE_BOOL: ((bool,), "true or false"),
}

SENSITIVE_TYPE = guard_pb2.SensitiveType.DESCRIPTOR
GUARD_ACTION = guard_pb2.GuardAction.DESCRIPTOR


def words(enum: EnumDescriptor) -> dict[str, int]:
    """The values of an enum as people write them, in lower case and without its name; the unset one is left out."""
    unset, *values = enum.values
    prefix = unset.name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix).lower(): value.number for value in values}


def word_of(enum: EnumDescriptor, name: str) -> str:
    """What people write for a value of an enum that the API calls `name`."""
    number = enum.values_by_name[name].number
    return next(word for word, value in words(enum).items() if value == number)


class Reading:
    """One pass over a file.

    Nothing is guessed and nothing passed over: what is misspelt would not hold, and nobody would notice.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.mistakes: list[tuple[str, str]] = []
        """Paths, such as `sources.docs.priority`, and what is expected there."""
        self.name = ""
        """What the file says the profile is called."""

    def profile(self, content: Any) -> pb.Profile:
        """The recipe, as far as it can be read."""
        result = pb.Profile()
        apart = ("sources", "tools", "examples", "guard", "deadline")
        values = self._fields(result, content, "", beside=("name", *apart), apart=apart)
        self._name(values.get("name"))
        self._sources(result, values.get("sources"))
        for path, item in self._items(values.get("tools"), "tools"):
            tool = result.tools.add()
            said = self._fields(tool, item, path, beside=("parameters",), apart=("parameters_json",))
            if said.get("parameters") is not None:
                self._json(tool, "parameters_json", said["parameters"], f"{path}.parameters")
        for path, item in self._items(values.get("examples"), "examples"):
            self._fields(result.examples.add(), item, path)
        if values.get("guard") is not None:
            self._guard(result.guard, values["guard"])
        if values.get("deadline") is not None:
            self._span(result.deadline, values["deadline"], "deadline")
        return result

    def _name(self, value: Any) -> None:
        if isinstance(value, str | None):
            self.name = value or ""
        else:
            self._wrong("name", "must be text; put it in quotes")

    def _sources(self, result: pb.Profile, value: Any) -> None:
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            value = dict.fromkeys(value)
        for name, said in self._mapping(value, "sources").items():
            source = result.sources.add()
            self._set(source, "name", name, f"sources.{name}")
            self._fields(source, said, f"sources.{name}", apart=("name",))

    def _guard(self, result: guard_pb2.Guard, value: Any) -> None:
        types = words(SENSITIVE_TYPE)
        result.SetInParent()
        for word, said in self._known(self._mapping(value, "guard"), "guard", [*types, "restore"]).items():
            if word == "restore":
                self._set(result, word, said, "guard.restore")
            else:
                rule = result.rules.add()
                rule.type = guard_pb2.SensitiveType.ValueType(types[word])
                self._set(rule, "action", said, f"guard.{word}")

    def _fields(
        self, result: Message, value: Any, path: str, *, beside: Iterable[str] = (), apart: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Sets a message's fields, those in `apart` excepted. Returns the values that are written `beside` them."""
        own = [field.name for field in result.DESCRIPTOR.fields if field.name not in apart]
        values = self._known(self._mapping(value, path), path, [*own, *beside])
        for name in own:
            if values.get(name) is not None:
                self._set(result, name, values[name], _below(path, name))
        return {name: values[name] for name in beside if name in values}

    def _set(self, result: Message, name: str, value: Any, path: str) -> None:
        field: Any = result.DESCRIPTOR.fields_by_name[name]  # two classes, with the same attributes
        try:
            if field.is_repeated:
                for at, item in self._items(value, path):
                    if self._fits(field, item, at):
                        getattr(result, name).append(item)
            elif field.enum_type is not None:
                setattr(result, name, self._enum(field.enum_type, value, path))
            elif self._fits(field, value, path):
                setattr(result, name, value)
        except ValueError as error:
            # A number beyond 32 bits, or text with lone surrogates: no message can hold it.
            self._wrong(path, f"cannot be sent: {error}")

    def _fits(self, field: FieldDescriptor, value: Any, path: str) -> bool:
        types, expected = _TYPES[field.cpp_type]
        # To Python a truth is a number.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits:
            self._wrong(path, f"must be {expected}")
        return fits

    def _enum(self, enum: EnumDescriptor, value: Any, path: str) -> int:
        choices = words(enum)
        if isinstance(value, str) and value in choices:
            return choices[value]
        self._wrong(path, f"must be one of: {', '.join(choices)}{_meant(value, choices)}")
        return 0

    def _span(self, result: Duration, value: Any, path: str) -> None:
        try:
            result.CopyFrom(span(str(value)))
        except ValueError as error:
            self._wrong(path, str(error))

    def _json(self, result: Message, name: str, value: Any, path: str) -> None:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            self._wrong(path, f"must be what JSON can say: {error}")
        else:
            self._set(result, name, text, path)

    def _items(self, value: Any, path: str) -> list[tuple[str, Any]]:
        if isinstance(value, list):
            return [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        if value is not None:
            self._wrong(path, "must be a list")
        return []

    def _mapping(self, value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return value
        if value is not None:
            self._wrong(path or self._file, "must be names with values")
        return {}

    def _known(self, values: dict[str, Any], path: str, names: Iterable[str]) -> dict[str, Any]:
        known = sorted(names)
        for name in values:
            if name not in known:
                choices = _meant(name, known) or f"; there are: {', '.join(known)}"
                self._wrong(_below(path, name), f"is not known{choices}")
        return {name: value for name, value in values.items() if name in known}

    def _wrong(self, path: str, expectation: str) -> None:
        self.mistakes.append((path, expectation))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _meant(said: Any, names: Iterable[str]) -> str:
    close = get_close_matches(str(said).lower(), list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""
