"""Programming languages, as data: what in a syntax tree has a name of its own, and what belongs to what follows it.

Node types and fields are those of the tree-sitter grammars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Definition(NamedTuple):
    """A type of node that defines something."""

    name: str = "name"
    """Field that holds its name; a definition without one is a module's `default`."""
    members: bool = False
    """Whether what stands in its field `body` has title paths of its own."""
    value: str = ""
    """Field that must hold a function or a class for it to be a definition."""
    owner: str = ""
    """Field that names the type it belongs to."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a language is cut."""

    grammars: tuple[Callable[[], object], ...]
    """The first one that parses a text without an error is taken, or else the first."""
    definitions: Mapping[str, Definition]
    wrappers: frozenset[str] = frozenset()
    """Nodes around a definition: its decorators, its export, the statement that it is."""
    values: frozenset[str] = frozenset()
    """Functions and classes without a name of their own."""
    leading: frozenset[str] = frozenset({"comment"})
    """Nodes that belong to the node after them."""
    transparent: frozenset[str] = frozenset({"ERROR"})
    """Nodes whose children count as their neighbours."""


_FUNCTION = Definition()
_CLASS = Definition(members=True)

PYTHON = Language(
    grammars=(tree_sitter_python.language,),
    definitions={"function_definition": _FUNCTION, "class_definition": _CLASS},
    wrappers=frozenset({"decorated_definition"}),
)

_JAVASCRIPT_DEFINITIONS = {
    "function_declaration": _FUNCTION,
    "generator_function_declaration": _FUNCTION,
    "method_definition": _FUNCTION,
    "class_declaration": _CLASS,
    "variable_declarator": Definition(value="value"),
    "assignment_expression": Definition("left", value="right"),
    "field_definition": Definition("property", value="value"),
    "function_expression": _FUNCTION,
    "arrow_function": _FUNCTION,
    "class": _CLASS,
}
_JAVASCRIPT_WRAPPERS = frozenset(
    {"export_statement", "lexical_declaration", "variable_declaration", "expression_statement"}
)
_JAVASCRIPT_VALUES = frozenset({"arrow_function", "function_expression", "generator_function", "class"})

JAVASCRIPT = Language(
    grammars=(tree_sitter_javascript.language,),
    definitions=_JAVASCRIPT_DEFINITIONS,
    wrappers=_JAVASCRIPT_WRAPPERS,
    values=_JAVASCRIPT_VALUES,
    leading=frozenset({"comment", "decorator"}),
)

TYPESCRIPT = Language(
    # The text of a component (TSX) is ambiguous with type assertions (`<T>x`), and a content type does not tell which.
    grammars=(tree_sitter_typescript.language_typescript, tree_sitter_typescript.language_tsx),
    definitions={
        **_JAVASCRIPT_DEFINITIONS,
        "abstract_class_declaration": _CLASS,
        "interface_declaration": _FUNCTION,
        "type_alias_declaration": _FUNCTION,
        "enum_declaration": _FUNCTION,
        "function_signature": _FUNCTION,
        "internal_module": _CLASS,
        "module": _CLASS,
        "public_field_definition": Definition(value="value"),
    },
    wrappers=_JAVASCRIPT_WRAPPERS | {"ambient_declaration"},
    values=_JAVASCRIPT_VALUES,
    leading=frozenset({"comment", "decorator"}),
)

GO = Language(
    grammars=(tree_sitter_go.language,),
    definitions={
        "function_declaration": _FUNCTION,
        "method_declaration": Definition(owner="receiver"),
        "type_spec": _FUNCTION,
        "type_alias": _FUNCTION,
    },
    wrappers=frozenset({"type_declaration"}),
)

JAVA = Language(
    grammars=(tree_sitter_java.language,),
    definitions={
        **dict.fromkeys(
            (
                "annotation_type_declaration",
                "class_declaration",
                "enum_declaration",
                "interface_declaration",
                "record_declaration",
            ),
            _CLASS,
        ),
        **dict.fromkeys(
            ("compact_constructor_declaration", "constructor_declaration", "method_declaration"), _FUNCTION
        ),
    },
    leading=frozenset({"block_comment", "line_comment"}),
    transparent=frozenset({"ERROR", "enum_body_declarations"}),
)
