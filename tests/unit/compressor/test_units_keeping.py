"""What stays with what is kept, by kind of text."""

import pytest

from tests.unit.compressor.keeping import LONG, keep

PYTHON = f'''\
import os
import json as j
from pathlib import Path, PurePath

@cached
class Store(Base):
    """{LONG}"""

    limit = 3

    # Reads a file.
    def read(self, name):
        if name:
            text = Path(name).read_text()
            log("{LONG}")
        elif self.limit > 7 and other_things_are_true_as_well(self.limit, name):
            text = os.environ["TEXT"].strip().casefold()
        else:
            text = ""
        return j.loads(text)
'''

GO = f'''\
package main

import (
\t"fmt"
\tlog "github.com/a/logrus/v2"
\t"{"x" * 240}/yaml.v3"
)

func f(x int) int {{
\tswitch x {{
\tcase 1:
\t\tfmt.Println("{LONG}")
\t\treturn 1
\tdefault:
\t\treturn 2
\t}}
}}
'''

JAVA = f'''\
import java.util.List;
import static a.B.sum;

public class A {{
    private List<String> names;

    /** Adds. */
    @Override
    public int add(int x) {{
        try {{
            log("{LONG}");
            return sum(x);
        }} catch (Exception e) {{
            return 0;
        }}
    }}
}}
'''

TYPESCRIPT = f'''\
import a, {{ b as c }} from "x";

export const config = {{
  first: 1,
  second: "{LONG}",
  third: 3,
}};

describe("all", () => {{
  it("works", () => {{ c.run(); }});
  it("fails", () => {{ d.run("{LONG}"); }});
}});
'''


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        pytest.param(
            PYTHON,
            ["limit = 3"],
            "...\n@cached\nclass Store(Base):\n    ...\n    limit = 3\n    ...",
            id="class-around-a-statement",
        ),
        pytest.param(
            PYTHON,
            ["def read"],
            "...\n@cached\nclass Store(Base):\n    ...\n    # Reads a file.\n    def read(self, name):\n        ...",
            id="signature-with-comment-and-class",
        ),
        pytest.param(
            PYTHON,
            ["read_text"],
            "...\nfrom pathlib import Path, PurePath\n\n@cached\nclass Store(Base):\n    ...\n    # Reads a file.\n"
            "    def read(self, name):\n        if name:\n            text = Path(name).read_text()\n            ...\n"
            "        elif self.limit > 7 and other_things_are_true_as_well(self.limit, name):\n            ...\n"
            '        else:\n            text = ""\n        ...',
            id="all-clauses-and-the-import",
        ),
        pytest.param(
            PYTHON,
            ["loads"],
            "...\nimport json as j\n...\n@cached\nclass Store(Base):\n    ...\n    # Reads a file.\n"
            "    def read(self, name):\n        ...\n        return j.loads(text)",
            id="alias-of-an-import",
        ),
        pytest.param(
            GO,
            ["return 1"],
            "// ...\nfunc f(x int) int {\n\tswitch x {\n\tcase 1:\n\t\t// ...\n\t\treturn 1\n\t// ...\n\t}\n}",
            id="case-and-closing-lines",
        ),
        pytest.param(
            GO,
            ["Println"],
            '// ...\nimport (\n\t"fmt"\n\t// ...\n)\n\nfunc f(x int) int {\n\tswitch x {\n\tcase 1:\n\t\t'
            f'fmt.Println("{LONG}")\n\t\t// ...\n\t}}\n}}',
            id="one-of-a-group-of-imports",
        ),
        pytest.param(
            JAVA,
            ["names"],
            "import java.util.List;\n// ...\npublic class A {\n    private List<String> names;\n    // ...\n}",
            id="field",
        ),
        pytest.param(
            JAVA,
            ["sum(x)"],
            "// ...\nimport static a.B.sum;\n\npublic class A {\n    // ...\n    /** Adds. */\n    @Override\n"
            "    public int add(int x) {\n        try {\n            // ...\n            return sum(x);\n"
            "        } catch (Exception e) {\n            return 0;\n        }\n    }\n}",
            id="both-arms-of-a-try",
        ),
        pytest.param(
            TYPESCRIPT,
            ["third"],
            "// ...\nexport const config = {\n  // ...\n  third: 3,\n};\n// ...",
            id="property-of-a-literal",
        ),
        pytest.param(
            TYPESCRIPT,
            ["works"],
            'import a, { b as c } from "x";\n// ...\ndescribe("all", () => {\n  it("works", () => { c.run(); });\n'
            "  // ...\n});",
            id="statement-of-a-callback",
        ),
    ],
)
def test_what_stays_of_code(text, words, shown):
    assert keep(text, "code", *words) == shown


ROWS = f'[\n  {{"id": 7, "note": "{LONG}", "sizes": [1, 2]}},\n  {{"a": 1}},\n  {{"a": 2}}\n]'


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        pytest.param(ROWS, ['"a": 2'], '[\n  {"a": 2}\n]', id="last-element"),
        pytest.param(ROWS, ['"a": 1', '"a": 2'], '[\n  {"a": 1},\n  {"a": 2}\n]', id="two-neighbours"),
        pytest.param(ROWS, ["sizes"], '[\n  {"id": 7, "sizes": [1, 2]}\n]', id="object-keeps-what-names-it"),
        pytest.param(
            f'{{"a": {{"b": 1, "c": "{LONG}"}}, "d": 2}}',
            ['"b"', '"d"'],
            '{"a": {"b": 1}, "d": 2}',
            id="key-of-an-object",
        ),
        pytest.param(f'{{"name": 1, "c": "{LONG}"}}', ['"c"'], f'{{"c": "{LONG}"}}', id="one-object-needs-no-name"),
        pytest.param(
            f'{{"a":1}}\n{{"a":2}}\n{{"b":["{LONG}",3]}}', ['"a":1', "3"], '{"a":1}\n{"b":[3]}', id="json-lines"
        ),
    ],
)
def test_what_stays_of_json(text, words, shown):
    assert keep(text, "docs", *words) == shown


DOCUMENT = f'''\
# Title

Intro one. Intro two. Intro three:

- item one. More of it.
- item two

| key | value |
|-----|------:|
| one | 1 |
| two | 2 |
| six | 6 |

```python
import os

def f():
    """{LONG}"""
    return os.getcwd()
```

~~~
first line
second line
third line
~~~
```json
[{{"id": 1, "text": "{LONG}"}}, {{"id": 2}}]
```
'''


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["Intro one", "Intro three"], "Intro one. [...] Intro three:", id="gap-between-sentences"),
        pytest.param(["Title", "item two"], "# Title\n[...]\n- item two", id="gap-between-lines"),
        pytest.param(["item one", "item two"], "- item one.\n[...]\n- item two", id="gap-behind-a-sentence-of-an-item"),
        pytest.param(["Title", "Intro two"], "# Title\n[...]\nIntro two.", id="no-sentence-behind-a-heading"),
        pytest.param(["Intro one", "More"], "Intro one.\n[...]\nMore of it.", id="gap-over-lines"),
        pytest.param(["six"], "| key | value |\n|-----|------:|\n| … |\n| six | 6 |", id="row-with-its-head"),
        pytest.param(
            ["getcwd"],
            "```python\nimport os\n\ndef f():\n    ...\n    return os.getcwd()\n```",
            id="fenced-python",
        ),
        pytest.param(["second line"], "~~~\n[...]\nsecond line\n[...]\n~~~", id="line-in-its-fence"),
        pytest.param(['"id": 2'], '```json\n[{"id": 2}]\n```', id="fenced-json"),
    ],
)
def test_what_stays_of_a_document(words, shown):
    assert keep(DOCUMENT, "docs", *words) == shown


TALK = f"""\
user (2024-05-01 10:00): Where is it? I lost it.
assistant: On the desk. {LONG}. It is blue.
Note: it may be red. Ask Ann.
Ann Lee: {LONG}. Here it is.
```python
x = 1
```
user: Thanks.
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["Where"], "user (2024-05-01 10:00): Where is it? I lost it.", id="short-turn"),
        pytest.param(["It is blue"], "assistant: [...] It is blue.", id="speaker-of-a-later-sentence"),
        pytest.param(["Here it is"], "Ann Lee: [...] Here it is.", id="name"),
        pytest.param(["Ask Ann"], "assistant:\n[...]\nNote: it may be red. Ask Ann.", id="line-that-looks-like-a-turn"),
        pytest.param(["x = 1"], "Ann Lee:\n[...]\n```python\nx = 1\n```", id="fence-of-a-turn"),
        pytest.param(
            ["Where", "Thanks"],
            "user (2024-05-01 10:00): Where is it? I lost it.\n[...]\nuser: Thanks.",
            id="gap-between-turns",
        ),
    ],
)
def test_what_stays_of_a_conversation(words, shown):
    assert keep(TALK, "history", *words) == shown
