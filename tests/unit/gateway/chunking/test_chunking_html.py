import pytest

from services.gateway.chunking import Chunk, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE

PARAGRAPH = " ".join(["This sentence has a number of words in it, and then it ends."] * 5)


def cut(html: str, title: str = "Page") -> list[Chunk]:
    return chunk(SourceDocument("https://example.org/page", title, "text/html", html.encode()))


def shown(html: str) -> str:
    return "\n".join(piece.text for piece in cut(html))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>a\n  b</p>", "a b", id="white space"),
        pytest.param("<p>a</p><p>b</p>", "a\n\nb", id="paragraphs"),
        pytest.param("<p>a<p>b", "a\n\nb", id="end tags left out"),
        pytest.param("<p>a <b>b</b>c <i> d</i></p>", "a bc d", id="inline elements"),
        pytest.param("a<br>b<br/>c", "a\nb\nc", id="line breaks"),
        pytest.param("<ul><li>a<li><p>b</p><ul><li>c</ul></ul>d", "a\n\nb\nc\n\nd", id="lists"),
        pytest.param("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n\nb\n\nc\n\nd", id="definitions"),
        pytest.param("<pre>\nif a:\n    b\n</pre>", "if a:\n    b", id="preformatted"),
        pytest.param("<pre><span>if</span> a:<br>    b</pre>", "if a:\n    b", id="preformatted, inline elements"),
        pytest.param("<table><tr><th>a<th>b<tr><td>1<td>2</table>c", "a | b\n1 | 2\n\nc", id="table"),
        pytest.param("<table><tr><td>a</td><td></td><td>b</td></tr></table>", "a | b", id="empty cell"),
        pytest.param(
            "<table><tbody><tr><td><p>a</p><p>b</p></td><td>c</td></tr></tbody></table>", "a\nb | c", id="cell's blocks"
        ),
        pytest.param(
            "<table><tr><td>a<td>b<table><tr><td>c</table>d</table>e",
            "a | b\n\nc\n\nd\n\ne",
            id="table in a table",
        ),
        pytest.param(
            "&lt;b&gt; &amp;amp; &eacute;&#x41;&nbsp;z &unknown; &", "<b> &amp; éA z &unknown; &", id="references"
        ),
        pytest.param("<div><table><tr><td>a</div><td>b</table></div>", "a | b", id="an end tag astray in a cell"),
        pytest.param(f"a &#{'9' * 5000}; b &#0; &#xD800;", "a \ufffd b \ufffd \ufffd", id="impossible references"),
        pytest.param("a < b and c<d> e", "a < b and c e", id="lone less-than"),
        pytest.param(
            "a<!-- > --><b title='x > y'>b</b><a title=\"</p>\">c</a>", "abc", id="comment, quoted attributes"
        ),
        pytest.param("a<!-->b<!--->c<!x>d</>e<?php f ?>g", "abcdeg", id="odd comments"),
        pytest.param("a<script>if (a<b) '</div>'</script>b<STYLE>p{}</STYLE >c", "a b c", id="scripts and styles"),
        pytest.param("a<script>never closed", "a", id="a script never closed"),
        pytest.param("a<p title='never closed>b", "a", id="a tag never closed"),
        pytest.param("<nav>n</nav><header>h</header>a<aside>s</aside><footer>f</footer>", "a", id="the page's frame"),
        pytest.param('<div role="navigation">n</div><div role=banner>h</div>a', "a", id="the page's frame by role"),
        pytest.param("<div><nav>never closed</div>a", "a", id="navigation never closed"),
        pytest.param("<dialog open>d</dialog><div role='dialog'>e</div>a", "a", id="dialogs"),
        pytest.param('<div id="cookie-banner"><p>c</p></div>a', "a", id="a banner about cookies"),
        pytest.param("<section class='x CookieConsent--open'>c</section>a", "a", id="consent by class"),
        pytest.param("<div id=onetrust-banner-sdk>c<div>d</div></div>a", "a", id="a vendor's banner"),
        pytest.param('<h2 id="cookie-notice">Cookies</h2><p class="cookies">a</p>', "Cookies\n\na", id="about cookies"),
        pytest.param('<main><div id="cookie-banner">a</div></main>', "a", id="a banner in the main text"),
        pytest.param("x<main>a</main>y", "a", id="main"),
        pytest.param("x<div role=main>a<div>b</div></div>y", "a\n\nb", id="main by role"),
        pytest.param("x<article>a</article>y<article>b</article>", "a\n\nb", id="articles"),
        pytest.param("x<main> </main>y", "x\n\ny", id="an empty main"),
        pytest.param(
            "<article><header><h1>a</h1></header>b<footer>c</footer></article>", "a\n\nb\n\nc", id="its header"
        ),
        pytest.param("a<button>Copy</button>b<svg><text>c</text></svg>", "a b", id="controls and drawings"),
    ],
)
def test_the_text_is_what_a_reader_sees(html: str, text: str) -> None:
    assert shown(html) == text


@pytest.mark.parametrize(
    ("html", "paths"),
    [
        pytest.param(f"<h1>Page</h1>{PARAGRAPH}", [("Page",)], id="a heading equal to the title"),
        pytest.param(
            f"<h1>A</h1>{PARAGRAPH}<h2>B</h2>{PARAGRAPH}<h1>C</h1>{PARAGRAPH}",
            [("Page", "A"), ("Page", "A", "B"), ("Page", "C")],
            id="nested",
        ),
        pytest.param(f"<div><h2>A <code>b</code><a>¶</a></h2></div>{PARAGRAPH}", [("Page", "A b")], id="permalink"),
        pytest.param(f"<h2><!-- none --></h2>{PARAGRAPH}", [("Page",)], id="empty heading"),
        pytest.param(
            f"<nav><h2>Menu</h2></nav><main><h2>A</h2>{PARAGRAPH}</main>", [("Page", "A")], id="outside the main text"
        ),
    ],
)
def test_headings_are_the_title_path(html: str, paths: list[tuple[str, ...]]) -> None:
    assert [piece.title_path for piece in cut(html)] == paths


def test_offsets_run_from_the_first_to_the_last_run_of_text() -> None:
    html = f"<main><h1>A &amp; B</h1>\n<p> {PARAGRAPH} <b>end</b> </p><h1>C</h1><p>\n{PARAGRAPH}</main>"
    first, second = cut(html)
    assert html[first.start : first.end] == f"A &amp; B</h1>\n<p> {PARAGRAPH} <b>end"
    assert html[second.start : second.end] == f"C</h1><p>\n{PARAGRAPH}"


def test_passages_of_one_long_run_share_its_offsets() -> None:
    html = f"<p>{PARAGRAPH} {PARAGRAPH} {PARAGRAPH} {PARAGRAPH} {PARAGRAPH}</p>"
    pieces = cut(html)
    assert len(pieces) > 1
    assert {(piece.start, piece.end) for piece in pieces} == {(3, len(html) - 4)}


def test_a_page_keeps_its_tables_and_code_and_loses_its_frame() -> None:
    code = "def f():\n    return 1\n\n\nf()"
    html = (
        "<!doctype html><html><head><title>T</title><style>a{}</style></head><body><header>Logo</header>"
        "<nav><ul><li>Home</ul></nav><div class='cookie-consent-banner'>We use cookies.<button>OK</button></div>"
        f"<main><h1>T</h1><aside>Ad</aside><p>Text.</p><pre><code>{code}</code></pre>"
        "<table><thead><tr><th>a<th>b<tbody><tr><td>1<td>2</table></main>"
        "<footer>Imprint</footer><script>track()</script></body></html>"
    )
    (piece,) = cut(html)
    assert piece.text == f"T\n\nText.\n\n{code}\n\na | b\n1 | 2"


def test_a_table_too_long_is_cut_between_rows() -> None:
    rows = [f"row {index} | {'x' * 40}" for index in range(100)]
    html = "<table>" + "".join(f"<tr><td>{row.replace(' | ', '<td>')}" for row in rows) + "</table>"
    pieces = cut(html)
    assert len(pieces) > 1
    assert [line for piece in pieces for line in piece.text.splitlines()] == rows


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>" * 100_000 + "x", id="nested"),
        pytest.param("<div>" * 50_000 + "x" + "</div>" * 50_000, id="nested and closed"),
        pytest.param("<p>" + "<div>" * 20_000 + "</p>" * 20_000 + "x", id="end tags that close nothing"),
        pytest.param("<b><i>" * 50_000 + "x", id="inline elements"),
        pytest.param("<table><tr><td>" * 30_000 + "x", id="tables"),
        pytest.param("x" + "<!--" * 100_000, id="comments"),
        pytest.param("x" + '<a b="' * 50_001, id="quotes"),
        pytest.param("x" + "<a " * 100_000, id="tags never closed"),
        pytest.param("x<script>" + "<script>" * 50_000, id="scripts"),
        pytest.param(f"<div class='{'cookie' * 50_000}'>x", id="classes"),
        pytest.param("<div " + "id='a' " * 50_000 + ">x", id="attributes"),
    ],
)
def test_whatever_it_is_it_gets_in(html: str) -> None:
    assert shown(html) == "x"


def test_no_passage_exceeds_the_bound() -> None:
    assert max(len(piece.text) for piece in cut("x" * 10_000 + "<br>y" * 10_000)) <= PASSAGE.maximum
