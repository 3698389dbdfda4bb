"""HTML source to blocks of text with their places in the source, in one pass without a tree.

Parsers that build a tree keep no positions, and the tree construction of HTML looks through all open elements at many
a tag: 40,000 nested `div`s took lexbor 2 s, four times as long as 20,000. Text needs no tree: it needs to know inside
which elements it stands, and those are on a stack.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import islice
from typing import NamedTuple

# Possessive, and every alternative also ends with the text: linear whatever the input.
_MARKUP = re.compile(
    r"""
      <!--(?:-?>|.*?(?:--!?>|\Z))
    | <(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)
      (?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))?+)*+)
      (?:>|\Z)
    | <[!?/][^>]*+(?:>|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ROLE = re.compile(r"""(?<=[\s"'/])role\s*+=\s*+["']?\s*+([a-zA-Z]++)""", re.IGNORECASE)
_NAMES = re.compile(r"""(?<=[\s"'/])(?:id|class)\s*+=\s*+(?:"([^"]*+)|'([^']*+)|([^\s"'>]++))""", re.IGNORECASE)
_CONSENT = re.compile(
    r"(?:cookie|consent|gdpr)[\w-]{0,24}?(?:banner|bar|box|dialog|message|modal|notice|overlay|popup)"
    r"|(?:banner|dialog|modal|notice|overlay|popup)[\w-]{0,24}?(?:cookie|consent|gdpr)"
    r"|cookie-?(?:consent|law)|cookiebot|onetrust",
    re.IGNORECASE,
)
"""What those who ask for consent to cookies call the element that asks."""
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")
"""Numbers that are no character, and that `unescape` may refuse to convert."""

_HEADINGS = {f"h{depth}": depth for depth in range(1, 7)}
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
            "div",
            "dl",
            "dt",
        ),
        *(
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "header",
            "hgroup",
            "html",
            "legend",
            "li",
            "main",
            "menu",
        ),
        *("nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
        *_HEADINGS,
    }
)
"""Elements that end a block of text. All other elements stand inside one and leave no trace."""
_UNREAD = {
    name: re.compile(rf"</{name}(?=[\s/>]|\Z)", re.IGNORECASE)
    for name in (
        *("script", "style", "title", "textarea", "noscript", "template", "iframe", "noembed", "noframes", "xmp"),
        *("svg", "button", "select", "object"),
    )
}
"""Elements whose content is skipped up to their end tag; in most of them it would not be markup."""
_SKIPPED = frozenset({"nav", "aside", "dialog"})
_SKIPPED_ROLES = frozenset({"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"})
_PAGE_FRAME = frozenset({"header", "footer"})
"""Skipped unless they are a part of the main text."""
_CONTAINERS = frozenset({"div", "form", "section"})
"""Skipped, too, where they ask for consent."""
_CELL_PARTS = frozenset({"p", "td", "th"})
_ROW_PARTS = _CELL_PARTS | {"tr"}
_CLOSED_BY = {
    "p": frozenset({"p"}),
    "li": frozenset({"p", "li"}),
    "dt": frozenset({"p", "dt", "dd"}),
    "dd": frozenset({"p", "dt", "dd"}),
    "td": _CELL_PARTS,
    "th": _CELL_PARTS,
    "tr": _ROW_PARTS,
    **dict.fromkeys(("thead", "tbody", "tfoot"), _ROW_PARTS | {"thead", "tbody", "tfoot"}),
}
"""Innermost open elements that a start tag closes, because their end tag may be left out."""
_CELLS = frozenset({"td", "th"})
_TABLE_PARTS = _CELLS | {"table", "thead", "tbody", "tfoot", "tr"}
_SEARCHED = 256
"""How many open elements an end tag looks through for its start tag."""

_BODY, _ARTICLE, _MAIN = range(3)


class Run(NamedTuple):
    """Text between two tags as it is shown, with what separates it from the run before."""

    text: str
    start: int
    end: int


class HtmlBlock(NamedTuple):
    """A paragraph, heading, list item, table row or preformatted text; never without text."""

    tag: str
    """The element around it."""
    heading_depth: int
    """1 to 6; 0: not a heading."""
    table: int
    """Number of the table whose row it is; 0: not a row."""
    scope: int
    """0: the page's body, 1: an article, 2: the main element."""
    runs: list[Run]


class HtmlText(NamedTuple):
    """What a page says."""

    title: str
    """Of the page's head; may be empty."""
    blocks: list[HtmlBlock]


def read_html(source: str) -> HtmlText:
    """The page's text without scripts, styles, navigation, asides, dialogs, banners about cookies, and the page's own
    header and footer. Linear.
    """
    reader = _Reader(source)
    position = 0
    while match := _MARKUP.search(source, position):
        reader.text(position, match.start())
        position = match.end()
        name = (match["name"] or "").lower()
        if match["end"]:
            reader.end(name)
        elif name in _UNREAD:
            closing = _UNREAD[name].search(source, position)
            stop = closing.start() if closing else len(source)
            reader.unread(name, position, stop)
            position = stop
        elif name:
            reader.start(name, match["attributes"])
    reader.text(position, len(source))
    reader.end_block()
    return HtmlText(reader.title, reader.blocks)


class _Element(NamedTuple):
    """An open element and what it and those around it mean for the text inside."""

    name: str
    skipped: bool = False
    scope: int = _BODY
    preformatted: bool = False
    table: int = 0
    """Number of the innermost table."""
    in_row: bool = False
    """Of that table."""


class _Reader:
    """The open elements, the block being read, and the blocks that are done."""

    def __init__(self, source: str) -> None:
        self.title = ""
        self.blocks: list[HtmlBlock] = []
        self._source = source
        self._open = [_Element("html")]  # never closed
        self._runs: list[Run] = []
        self._separator = ""
        """What will stand between the last run and the next one."""
        self._table_count = 0

    def start(self, name: str, attributes: str) -> None:
        """A start tag."""
        if name in {"br", "hr"}:
            self._separator = "\n"
        if name not in _BLOCKS:
            return
        self._boundary(name)
        closed = _CLOSED_BY.get(name, frozenset())
        while self._open[-1].name in closed:
            self._open.pop()
        role = _ROLE.search(attributes)
        element = self._element(name, role[1].lower() if role else "", self._open[-1])
        if name in _CONTAINERS and element.scope == _BODY and _asks_for_consent(attributes):
            element = element._replace(skipped=True)
        self._open.append(element)

    def end(self, name: str) -> None:
        """An end tag: closes the innermost element of its name; none outside the table cell that it stands in."""
        if name not in _BLOCKS:
            return
        for element in islice(reversed(self._open), min(_SEARCHED, len(self._open) - 1)):
            if element.name == name:
                break
            if element.name in _CELLS and name not in _TABLE_PARTS:
                return
        else:
            return
        self._boundary(name)
        while self._open.pop().name != name:
            pass

    def unread(self, name: str, start: int, end: int) -> None:
        """An element whose content is not read."""
        if name == "title":
            self.title = self.title or _decoded(self._source[start:end])
        self._separator = self._separator or " "

    def text(self, start: int, end: int) -> None:
        """What stands between two tags."""
        raw = self._source[start:end]
        inside = self._open[-1]
        if not raw or inside.skipped:
            return
        shown = _decoded(raw)
        if not inside.preformatted:
            words = " ".join(shown.split())
            if shown[0].isspace():
                self._separator = self._separator or " "
            trailing = " " if shown[-1].isspace() else ""
            if not words:
                return
            shown = words
        else:
            trailing = ""
        separator = self._separator if self._runs else ""
        start += len(raw) - len(raw.lstrip())
        self._runs.append(Run(separator + shown, start, start + len(raw.strip())))
        self._separator = trailing

    def end_block(self) -> None:
        """Closes the block being read."""
        runs, self._runs, self._separator = self._runs, [], ""
        if any(not run.text.isspace() for run in runs):
            inside = self._open[-1]
            tag = "pre" if inside.preformatted else inside.name
            table = inside.table if inside.in_row else 0
            self.blocks.append(HtmlBlock(tag, 0 if table else _HEADINGS.get(tag, 0), table, inside.scope, runs))

    def _boundary(self, name: str) -> None:
        """A tag that ends a block; inside a table's row it only parts the text, unless the row itself ends."""
        if not self._open[-1].in_row or name in _TABLE_PARTS - _CELLS:
            self.end_block()
        elif name not in _CELLS:
            self._separator = self._separator or "\n"
        elif not self._separator.endswith("| "):
            self._separator = " | "

    def _element(self, name: str, role: str, around: _Element) -> _Element:
        scope, table, in_row = around.scope, around.table, around.in_row
        if name == "main" or role == "main":
            scope = _MAIN
        elif name == "article":
            scope = max(scope, _ARTICLE)
        if name == "table":
            self._table_count += 1
            table, in_row = self._table_count, False
        elif name == "tr":
            in_row = table > 0
        frame = name in _SKIPPED or role in _SKIPPED_ROLES or (name in _PAGE_FRAME and scope == _BODY)
        preformatted = around.preformatted or name == "pre"
        return _Element(name, around.skipped or frame, scope, preformatted, table, in_row)


def _asks_for_consent(attributes: str) -> bool:
    return any(_CONSENT.search(names[0] or names[1] or names[2]) for names in _NAMES.findall(attributes))


def _decoded(text: str) -> str:
    return unescape(_ENDLESS_REFERENCE.sub("\ufffd", text)) if "&" in text else text
