"""YAML as people write it by hand: what is written twice or wrong is refused, with its place."""

from collections.abc import Hashable
from typing import Any

import yaml

from scic import errors

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


def load(text: str, file: str) -> Any:
    """What stands in a file that is called `file`.

    Raises ScicError INVALID_FIELD, which says where, for what is no YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader, only stricter
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        expectation = _trouble(error, text)
        raise errors.INVALID_FIELD.error(f"{file}: {expectation}", field_violations=[(file, expectation)]) from None


def _trouble(error: Exception, text: str) -> str:
    """Why a text is no YAML, and where as far as the library says."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        said = ", ".join(filter(None, (error.context, error.problem)))
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {said}"
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        return f"line {before.count(chr(10)) + 1}, column {column}: {error.reason}"
    return f"must be YAML: {error}"


class _Loader(yaml.SafeLoader):
    """Takes a key once, and leaves dates the text that they are: JSON has none."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own table, without one entry
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
