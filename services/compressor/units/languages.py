"""Programming languages, as data: where statements stand in a syntax tree, and what they belong to.

Node types are those of the tree-sitter grammars.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tree_sitter_go
import tree_sitter_java
import tree_sitter_python
import tree_sitter_typescript

from services.compressor.units import imports
from services.compressor.units.unit import Join

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.compressor.units.imports import Names


@dataclass(frozen=True, slots=True)
class Language:
    """How the statements of a language are found."""

    grammar: Callable[[], object]
    join: Join
    """How its statements stand; it says what marks a gap."""
    blocks: frozenset[str]
    """Nodes whose children may be kept or dropped one by one: what is left parses, with the mark in their place."""
    imports: frozenset[str]
    """Nodes that bind names of other modules."""
    names: Names
    """The names that the text of such a node binds."""
    cases: frozenset[str] = frozenset()
    """Nodes with statements behind a colon, up to the next of them."""
    transparent: frozenset[str] = frozenset()
    """Nodes whose children count as their neighbours."""
    leading: frozenset[str] = frozenset({"comment"})
    """Nodes that belong to the node after them."""
    counted: str = ""
    """A group of constants with this word in it stays whole: they are numbered by their place."""
    wrapper: tuple[str, str] = ("", "")
    """What stands around members of a class that are met without it."""


PYTHON: Final = Language(
    grammar=tree_sitter_python.language,
    join=Join.PYTHON,
    blocks=frozenset({"block"}),
    imports=frozenset({"import_statement", "import_from_statement"}),
    names=imports.python_names,
)
GO: Final = Language(
    grammar=tree_sitter_go.language,
    join=Join.BRACES,
    blocks=frozenset(
        {
            "block",
            "const_declaration",
            "expression_switch_statement",
            "field_declaration_list",
            "import_spec_list",
            "interface_type",
            "literal_value",
            "select_statement",
            "type_declaration",
            "type_switch_statement",
            "var_spec_list",
        }
    ),
    cases=frozenset({"communication_case", "default_case", "expression_case", "type_case"}),
    transparent=frozenset({"statement_list"}),
    imports=frozenset({"import_declaration", "import_spec"}),
    names=imports.go_names,
    counted="iota",
)
_JAVA_BLOCKS = frozenset(
    {
        "annotation_type_body",
        "array_initializer",
        "block",
        "class_body",
        "constructor_body",
        "interface_body",
        "switch_block",
    }
)
_JAVA_LEADING = frozenset({"block_comment", "line_comment"})
JAVA: Final = Language(
    grammar=tree_sitter_java.language,
    join=Join.BRACES,
    blocks=_JAVA_BLOCKS,
    cases=frozenset({"switch_block_statement_group"}),
    leading=_JAVA_LEADING,
    imports=frozenset({"import_declaration"}),
    names=imports.java_names,
)
JAVA_MEMBERS: Final = Language(
    grammar=tree_sitter_java.language,
    join=Join.BRACES,
    blocks=_JAVA_BLOCKS,
    cases=frozenset({"switch_block_statement_group"}),
    leading=_JAVA_LEADING,
    imports=frozenset(),
    names=imports.java_names,
    wrapper=("class _ {\n", "}"),
)


def _script(grammar: Callable[[], object], *, wrapper: tuple[str, str] = ("", "")) -> Language:
    return Language(
        grammar=grammar,
        join=Join.BRACES,
        blocks=frozenset(
            {
                "array",
                "class_body",
                "enum_body",
                "interface_body",
                "object",
                "object_type",
                "statement_block",
                "switch_body",
            }
        ),
        cases=frozenset({"switch_case", "switch_default"}),
        leading=frozenset({"comment", "decorator"}),
        imports=frozenset({"import_statement"}),
        names=imports.script_names,
        wrapper=wrapper,
    )


# TypeScript contains JavaScript. The text of a component (TSX) is ambiguous with type assertions (`<T>x`).
TYPESCRIPT: Final = _script(tree_sitter_typescript.language_typescript)
COMPONENTS: Final = _script(tree_sitter_typescript.language_tsx)
SCRIPT_MEMBERS: Final = _script(tree_sitter_typescript.language_typescript, wrapper=("class _ {\n", "}"))

_FAMILIES: Final = {
    "python": (PYTHON,),
    "go": (GO,),
    "java": (JAVA, JAVA_MEMBERS),
    "script": (TYPESCRIPT, COMPONENTS, SCRIPT_MEMBERS),
}
_TAGS: Final = {
    "python": ("python", "py", "python3", "py3"),
    "go": ("go", "golang"),
    "java": ("java",),
    "script": ("javascript", "js", "jsx", "mjs", "typescript", "ts", "tsx"),
}
FENCED: Final = {tag: _FAMILIES[family] for family, tags in _TAGS.items() for tag in tags}
"""Languages by the first word behind a fence of Markdown, in lower case."""

_CUE: Final = re.compile(
    r"""^[ \t]*+(?:
      (?P<python>(?:async[ ]|def|class|if|elif|else|for|while|try|except|finally|with)\b[^\n{;]*:[ \t\r]*$
        |from[ ][\w.]+[ ]import\b|import[ ][\w., ]+\r?$|@\w[\w.]*(?:\(.*\))?[ \t\r]*\n[ \t]*(?:async[ ])?def\b)
    | (?P<go>package[ ]\w+\r?$|(?:const|var|type)[ ]\(|func\b|type[ ]\w+[ ](?:struct|interface)\b
        |[\w, ]+:=|import[ ][("])
    | (?P<java>(?:public|private|protected)[ ](?!\w+\()|package[ ][\w.]+;|import[ ](?:static[ ])?[\w.*]+;|@Override
        |(?:[A-Z]\w*(?:<[\w<>, ?]*>)?(?:\[\])*|boolean|double|final|int|long|void)[ ]\w+[ ]?[=;(])
    | (?P<script>export\b|const\b|let\b|var\b|(?:async[ ])?function\b|import\b.*\bfrom\b|interface\b|.*=>)
    )""",
    re.VERBOSE | re.MULTILINE,
)
"""How lines begin in a language and not in the others."""
_STATEMENT: Final = re.compile(r"^[^\n]*?[=(\[{}][^\n]*+$|^[ \t]*+(?:#|//|return\b|pass\b|break\b)", re.MULTILINE)
_SHARE: Final = 4
"""A family with a fourth of the cues of the likeliest one is tried too."""
_MARKUP: Final = re.compile(r"</|/>")


def likely_languages(text: str) -> list[Language]:
    """The languages that a text may be in, the likeliest first; none where it does not look like code.

    To find an error in what is not in a language takes ten times as long as to parse what is.
    """
    counts = Counter(match.lastgroup for match in _CUE.finditer(text))
    if counts:
        most = max(counts.values())
        families = [str(family) for family, count in counts.most_common() if count * _SHARE >= most]
    else:
        lines = text.count("\n", 0, len(text.rstrip())) + 1
        families = ["python", "script"] if 2 * len(_STATEMENT.findall(text)) >= lines else []
    found = [language for family in families for language in _FAMILIES[family]]
    return found if _MARKUP.search(text) else [language for language in found if language is not COMPONENTS]


def languages_of(join: Join) -> list[Language]:
    """The languages whose statements stand so."""
    return [language for family in _FAMILIES.values() for language in family if language.join is join]
