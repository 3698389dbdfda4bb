# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""What counts as a pin, type by type: the table is the specification."""

import pytest

from services.compressor.pins.bind import bind
from services.compressor.pins.check import maimed_pins
from services.compressor.pins.find import find_pins
from services.compressor.pins.negations import negating_leads
from services.compressor.pins.patterns import MAX_MATCH_LENGTH, PatternError, compile_patterns
from services.compressor.pins.pin import PinType
from services.compressor.units.unit import Unit

NUMBER, DATE, IDENTIFIER = PinType.NUMBER, PinType.DATE, PinType.IDENTIFIER
NEGATION, URL, CODE, CITATION = PinType.NEGATION, PinType.URL, PinType.CODE, PinType.CITATION


def pins_of(text, *types):
    return [(pin.type, text[pin.start : pin.end]) for pin in find_pins(text) if pin.type in types]


def case(name, text, *pins):
    return pytest.param(text, list(pins), id=name)


NUMBERS = [
    case("number-with-unit", "It is 5 km away.", "5 km"),
    case("unit-without-blank", "It is 5km away.", "5km"),
    case("unit-on-the-next-line", "It is 5\nkm away.", "5\nkm"),
    case("unit-in-words", "It took 14 days to finish.", "14 days"),
    case("next-word-is-no-unit", "We saw 162 games there.", "162"),
    case("percent-sign", "A rise of 12.5 % is much.", "12.5 %"),
    case("percent-in-a-word", "A rise of 7.66 percent.", "7.66 percent"),
    case("percent-in-words", "About twenty-five percent agreed.", "twenty-five percent"),
    case("scale-in-words", "It cost three million dollars.", "three million dollars"),
    case("dozen", "More than a dozen operas.", "a dozen"),
    case("number-word-alone-is-none", "He has two brothers."),
    case("currency-before", "It cost $3 million in all.", "$3 million"),
    case("currency-with-letters", "It cost US$3.5bn in all.", "US$3.5bn"),
    case("currency-behind", "It costs 20 € a month.", "20 € a month"),
    case("currency-code", "It costs 20 USD each.", "20 USD"),
    case("rate", "The disk reads 3 GB/s at best.", "3 GB/s"),
    case("rate-in-words", "He ran 12 km per hour then.", "12 km per hour"),
    case("tokens-a-second", "It makes 40 tokens/s on it.", "40 tokens/s"),
    case("negative-temperature", "It was −40 °C outside.", "−40 °C"),
    case("hyphen-as-sign", "It was -40 °F outside.", "-40 °F"),
    case("hyphen-in-a-word-is-no-sign", "The mid-90 mark.", "90"),
    case("thousands-comma", "All 1,000 of them.", "1,000"),
    case("thousands-point-decimal-comma", "Es sind 1.234.567,89 Euro.", "1.234.567,89"),
    case("thousands-blank", "Il y a 12 345 678 pages.", "12 345 678"),
    case("thousands-apostrophe", "Es kostet 1'000 mehr.", "1'000"),
    case("thousands-of-india", "A crowd of 12,34,567 came.", "12,34,567"),
    case("comma-behind-a-number", "Of 5, three left.", "5"),
    case("full-stop-behind-a-number", "There were 5. Three left.", "5"),
    case("exponent", "An error of 1.5e-3 at most.", "1.5e-3"),
    case("power-of-ten", "About 6.02 × 10^23 of them.", "6.02 × 10^23"),
    case("range-with-unit", "Take 10–20 mg of it.", "10–20 mg"),
    case("range-in-words", "Take 10 to 20 mg of it.", "10 to 20 mg"),
    case("tolerance", "An error of ±0.5 at most.", "±0.5"),
    case("value-with-tolerance", "It is 5 ± 0.2 mm long.", "5 ± 0.2 mm"),
    case("comparison", "It needs Python >= 3.11 to run.", ">= 3.11"),
    case("less-than", "Keep p < 0.05 in mind.", "< 0.05"),
    case("version", "It is fixed in v1.2.3 and up.", "v1.2.3"),
    case("version-without-v", "It is fixed in 1.2.3-rc1 and up.", "1.2.3-rc1"),
    case("fraction", "Add 2/3 of a cup.", "2/3"),
    case("fraction-sign", "Wait 26½ weeks for it.", "26½ weeks"),
    case("ratio", "The screen is 16:9 wide.", "16:9"),
    case("dimensions", "A box of 3 × 4 × 5 cm each.", "3 × 4 × 5 cm"),
    case("feet-and-inches", "He is 5'10\" tall.", "5'10\""),
    case("ordinal", "She came 1st again.", "1st"),
    case("leading-point", "He hit .288 that year.", ".288"),
    case("square-unit", "A flat of 80 m² there.", "80 m²"),
    case("hyphenated-unit", "A 17-year career.", "17-year"),
    case("times-sign", "It is 10x faster.", "10x"),
    case("cjk-unit", "価格は3万円です。", "3万円"),
    case("arabic-digits", "عددهم ٤٢ فقط", "٤٢"),
]

DATES = [
    case("iso-day", "Due on 2021-05-01 at last.", "2021-05-01"),
    case("iso-month", "Due in 2021-05 at last.", "2021-05"),
    case("iso-time-zulu", "Seen at 2021-05-01T10:30:00Z by us.", "2021-05-01T10:30:00Z"),
    case("iso-time-offset", "Seen at 2021-05-01 10:30:00.123+02:00 by us.", "2021-05-01 10:30:00.123+02:00"),
    case("day-month-year", "Born on 3 March 1999 in Rome.", "3 March 1999"),
    case("month-day-year", "Born on March 3rd, 1999 in Rome.", "March 3rd, 1999"),
    case("short-month", "Born on Sept. 3, 1999 in Rome.", "Sept. 3, 1999"),
    case("month-year", "Since June 1593 it is gone.", "June 1593"),
    case("month-day", "See you on March 16, then.", "March 16"),
    case("month-on-its-own-line", "See you on March\n16, then.", "March\n16"),
    case("days-of-a-month", "From 3–5 March 1999 on.", "3–5 March 1999"),
    case("day-of-month", "The 5th of May came.", "5th of May"),
    case("slashes", "Due 12/31/2020 at noon.", "12/31/2020"),
    case("points", "Fällig am 31.12.2020 mittags.", "31.12.2020"),
    case("quarter", "Sales in Q3 2021 fell.", "Q3 2021"),
    case("fiscal-year", "Sales in FY2021 fell.", "FY2021"),
    case("clock", "Come at 10:30 or later.", "10:30"),
    case("clock-half-day", "Come at 10:30 am or later.", "10:30 am"),
    case("hour-half-day", "Come at 5 p.m. or later.", "5 p.m."),
    case("clock-zone", "Come at 8:51 pm PDT or later.", "8:51 pm PDT"),
    case("year", "Founded in 1998 by two.", "1998"),
    case("years", "Puccini (1858–1924) wrote it.", "1858–1924"),
    case("decade", "In the 1990s it rose.", "1990s"),
    case("century", "Of the 5th century BC at least.", "5th century BC"),
    case("era", "Ruined in 586 BCE by them.", "586 BCE"),
    case("cjk-date", "会議は2023年5月1日です。", "2023年5月1日"),
    case("may-without-number-is-a-verb", "You may go."),
]

IDENTIFIERS = [
    case("camel-case", "Call getUserName first.", "getUserName"),
    case("snake-case", "Set max_tokens first.", "max_tokens"),
    case("upper-snake-case", "Set MAX_TOKENS first.", "MAX_TOKENS"),
    case("dunder", "It calls __init__ first.", "__init__"),
    case("call", "Then run() is called.", "run()"),
    case("dotted-call", "Then os.path.join() is called.", "os.path.join()"),
    case("dotted-name", "Import numpy.typing first.", "numpy.typing"),
    case("scoped-name", "Use std::vector there.", "std::vector"),
    case("error-code-underscore", "It says ERR_42 again.", "ERR_42"),
    case("error-code", "It says E1001 again.", "E1001"),
    case("vulnerability", "See CVE-2021-44228 for it.", "CVE-2021-44228"),
    case("status", "It says HTTP 404 again.", "HTTP 404"),
    case("issue-number", "Fixed by #1234 today.", "#1234"),
    case("part-number", "Order AB-1234 today.", "AB-1234"),
    case("uuid", "Run 550e8400-e29b-41d4-a716-446655440000 failed.", "550e8400-e29b-41d4-a716-446655440000"),
    case("hash", "Commit 9fceb02d0ae5 broke it.", "9fceb02d0ae5"),
    case("unix-path", "Look into /etc/nginx/nginx.conf there.", "/etc/nginx/nginx.conf"),
    case("relative-path", "Look into src/app/main.py there.", "src/app/main.py"),
    case("dot-path", "Start ./run.sh there.", "./run.sh"),
    case("home-path", "Look into ~/.ssh/config there.", "~/.ssh/config"),
    case("windows-path", r"Look into C:\Users\me\a.txt there.", r"C:\Users\me\a.txt"),
    case("file-name", "Edit config.yaml there.", "config.yaml"),
    case("mail", "Write to jo.doe+x@mail.example.org today.", "jo.doe+x@mail.example.org"),
    case("long-flag", "Pass --max-tokens=5 to it.", "--max-tokens=5"),
    case("short-flag", "Pass -v to it.", "-v"),
    case("environment-variable", "Set $HOME or ${PATH} first.", "$HOME", "${PATH}"),
    case("ip", "Ping 192.168.0.1 first.", "192.168.0.1"),
    case("ip-and-port", "Ping 192.168.0.1:8080 first.", "192.168.0.1:8080"),
    case("ipv6", "Ping 2001:db8::ff00:42 first.", "2001:db8::ff00:42"),
    case("host-and-port", "Open localhost:8080 first.", "localhost:8080"),
    case("isbn", "See ISBN 978-3-16-148410-0 for it.", "ISBN 978-3-16-148410-0"),
    case("digits-in-a-word", "An H2O molecule.", "H2O"),
    case("capitalised-words-are-none", "The New York Times and NATO met."),
    case("and-or-is-none", "You and/or me."),
    case("hyphenated-words-are-none", "A well-known state-of-the-art method."),
    case("abbreviations-are-none", "I.e. the U.S. and e.g. others."),
    case("emphasis-is-none", "It is _very_ good."),
]

URLS = [
    case("url", "See https://example.com/a?b=1 for it.", "https://example.com/a?b=1"),
    case("full-stop-behind-a-url", "See https://example.com/a.", "https://example.com/a"),
    case("url-in-brackets", "(see https://example.com/a)", "https://example.com/a"),
    case("brackets-in-a-url", "See https://example.com/a_(b), too.", "https://example.com/a_(b)"),
    case("markdown-link", "[it](https://example.com/1234)", "https://example.com/1234"),
    case("without-scheme", "See www.example.com/x for it.", "www.example.com/x"),
    case("other-scheme", "At redis://localhost:6379/0 now.", "redis://localhost:6379/0"),
    case("colon-slashes-alone-are-none", "That is a :// in text."),
]

CODES = [
    case("backticks", "Run `make test` now.", "`make test`"),
    case("double-backticks", "Run ``a`b`` now.", "``a`b``"),
    case("digits-in-code-are-code", "Run `sleep 10` now.", "`sleep 10`"),
    case("code-over-a-line-end", "Run `make\ntest` now.", "`make\ntest`"),
    case("blank-line-ends-code", "Run `make\n\ntest` now."),
    case("quotation-marks-of-tex-are-none", "``I can ''(or`` You can'') is it."),
    case("single-quotation-of-tex-is-none", "It is `so' and `thus'."),
    case("one-backtick-is-none", "A ` alone."),
    case("fence-is-none", "```\nx\n```"),
]

CITATIONS = [
    case("bracket", "As shown [3] before.", "[3]"),
    case("brackets-list", "As shown [1, 2] before.", "[1, 2]"),
    case("brackets-range", "As shown [12]–[14] before.", "[12]–[14]"),
    case("footnote", "As shown[^note] before.", "[^note]"),
    case("author-year", "It holds (Smith et al., 2020) there.", "(Smith et al., 2020)"),
    case("authors-years", "It holds (Smith and Jones 2020; Lee 2019) there.", "(Smith and Jones 2020; Lee 2019)"),
    case("citation-over-a-line-end", "It holds (Smith and\nJones, 2020) there.", "(Smith and\nJones, 2020)"),
    case("doi", "See doi:10.1000/182 for it.", "doi:10.1000/182"),
    case("arxiv", "See arXiv:2101.00001v2 for it.", "arXiv:2101.00001v2"),
    case("rfc", "As RFC 2119 says.", "RFC 2119"),
    case("standard", "As ISO 8601 says.", "ISO 8601"),
    case("section-sign", "By § 3.2 of it.", "§ 3.2"),
    case("article", "By Art. 5(1) of it.", "Art. 5(1)"),
    case("section", "In Section 4.2 of it.", "Section 4.2"),
    case("section-on-the-next-line", "In Section\n4.2 of it.", "Section\n4.2"),
    case("figure", "Figure 3 shows it.", "Figure 3"),
    case("figures", "Figures 3 and 4 show it.", "Figures 3 and 4"),
    case("case", "In Smith v. Jones it was.", "Smith v. Jones"),
    case("year-in-brackets-is-none", "Born (in 2020) there."),
    case("born-is-none", "Bob (born 1985), a singer."),
]


@pytest.mark.parametrize(("text", "pins"), NUMBERS)
def test_numbers(text, pins):
    assert pins_of(text, NUMBER, DATE) == [(NUMBER, pin) for pin in pins]


@pytest.mark.parametrize(("text", "pins"), DATES)
def test_dates(text, pins):
    assert pins_of(text, NUMBER, DATE) == [(DATE, pin) for pin in pins]


@pytest.mark.parametrize(("text", "pins"), IDENTIFIERS)
def test_identifiers(text, pins):
    assert pins_of(text, IDENTIFIER, NUMBER, DATE, URL) == [(IDENTIFIER, pin) for pin in pins]


@pytest.mark.parametrize(("text", "pins"), URLS)
def test_urls(text, pins):
    assert pins_of(text, URL, IDENTIFIER, NUMBER, DATE) == [(URL, pin) for pin in pins]


@pytest.mark.parametrize(("text", "pins"), CODES)
def test_code(text, pins):
    assert pins_of(text, CODE, NUMBER) == [(CODE, pin) for pin in pins]


@pytest.mark.parametrize(("text", "pins"), CITATIONS)
def test_citations(text, pins):
    assert pins_of(text, CITATION, NUMBER, IDENTIFIER) == [(CITATION, pin) for pin in pins]


NEGATIONS = [
    case("not", "Ann is. Bob is not so. Carl is.", "Bob is not so."),
    case("contraction", "Ann is. Bob isn't so. Carl is.", "Bob isn't so."),
    case("contraction-curly", "Ann is. Bob isn’t so. Carl is.", "Bob isn’t so."),
    case("contraction-apart", "Ann is. Bob is n't so. Carl is.", "Bob is n't so."),
    case("capitals", "Ann is. DO NOT do it. Carl is.", "DO NOT do it."),
    case("never", "Ann is. Bob never is. Carl is.", "Bob never is."),
    case("no", "Ann is. There is no Bob. Carl is.", "There is no Bob."),
    case("none", "Ann is. None of them is. Carl is.", "None of them is."),
    case("neither-nor", "Ann is. Neither Bob nor Carl is. Dan is.", "Neither Bob nor Carl is."),
    case("without", "Ann is. Bob goes without Carl. Dan is.", "Bob goes without Carl."),
    case("cannot", "Ann is. Bob cannot go. Dan is.", "Bob cannot go."),
    case("unless", "Ann is. Bob goes unless Carl does. Dan is.", "Bob goes unless Carl does."),
    case("except", "Ann is. All go except Carl. Dan is.", "All go except Carl."),
    case("excluding", "Ann is. All, excluding Carl, go. Dan is.", "All, excluding Carl, go."),
    case("other-than", "Ann is. Any other than Carl goes. Dan is.", "Any other than Carl goes."),
    case("only-if", "Ann is. Bob goes only if Carl does. Dan is.", "Bob goes only if Carl does."),
    case("hardly", "Ann is. Bob hardly goes. Dan is.", "Bob hardly goes."),
    case("fails-to", "Ann is. Bob fails to go. Dan is.", "Bob fails to go."),
    case("prohibited", "Ann is. Bob is prohibited. Dan is.", "Bob is prohibited."),
    case("long-sentence-whole", "Ann is. " + "So, " * 200 + "not Bob. Carl is.", "So, " * 200 + "not Bob."),
    case("over-a-line-end", "Bob is\nnot so. Carl is.", "Bob is\nnot so."),
    case("list-item", "- Ann is\n- Bob is not\n- Carl is", "- Bob is not"),
    case("fragment-except", "Open daily. Except on Sundays. Carl is.", "Open daily. Except on Sundays."),
    case("fragment-unless", "It fails. Unless x is set. Carl is.", "It fails. Unless x is set."),
    case("fragment-but-not", "All may go. But not for admins. Carl is.", "All may go. But not for admins."),
    case("fragment-otherwise", "Set x. Otherwise it fails. Carl is.", "Set x. Otherwise it fails."),
    case("fragment-in-the-next-paragraph", "Open daily.\n\nExcept on Sundays.", "Open daily.\n\nExcept on Sundays."),
    case("short-answer", "Is it safe? No. Carl is.", "Is it safe? No."),
    case("unless-with-main-clause", "Ann is. Unless x is set, it fails. Carl is.", "Unless x is set, it fails."),
    case("first-sentence-has-none-before", "Except on Sundays. Carl is.", "Except on Sundays."),
    case("chain-of-exceptions", "Ann. Except Bob. Unless Carl.", "Ann. Except Bob.", "Except Bob. Unless Carl."),
    case("two-in-a-sentence-are-one-pin", "It is not so and never was.", "It is not so and never was."),
    case("number-sign-is-none", "See No. 5 for it."),
    case("longer-words-are-none", "Nothingness, notes, nooks and exceptional cannots."),
    case("none-of-python-is-none", "def run() -> None: return None if x is None else 1"),
    case("joined-words-are-none", "A no-op and is_not and not-for-profit."),
]


@pytest.mark.parametrize(("text", "pins"), NEGATIONS)
def test_negations(text, pins):
    assert pins_of(text, NEGATION) == [(NEGATION, pin) for pin in pins]


LEADS = [
    pytest.param("It does not support:\n\n- a\n- b\n\nThe end.", ["It does not support:|- a\n- b"], id="lead-in"),
    pytest.param(
        "A is. Unsupported:\n- a\n- b\nThe end.", ["Unsupported:|- a\n- b\nThe end."], id="lazy-line-is-the-item's"
    ),
    pytest.param("Never do this:\n```\nx\n\ny\n```\nDo it.", ["Never do this:|```\nx\n\ny\n```"], id="fence"),
    pytest.param(
        "# A\n\n## Limitations\n\nx\n\n### B\n\ny\n\n## C\nz", ["## Limitations|x\n\n### B\n\ny"], id="heading"
    ),
    pytest.param("- Not allowed:\n  - a\n  - b\n- c", ["- Not allowed:|- a\n  - b"], id="item-with-items"),
    pytest.param(
        "No:\n- a\n- not:\n  - b\n- c", ["No:|- a\n- not:\n  - b\n- c", "- not:|- b"], id="lead-in-under-a-lead-in"
    ),
    pytest.param("Supported:\n- a\n- b", [], id="says-yes"),
    pytest.param("Not so:\n\nThe end.", [], id="nothing-under-it"),
    pytest.param("It is not a list.\n- a", [], id="no-colon"),
]


@pytest.mark.parametrize(("text", "leads"), LEADS)
def test_negating_leads(text, leads):
    found = [
        f"{text[lead.start : lead.end]}|{text[lead.end : lead.items_end].strip()}" for lead in negating_leads(text)
    ]
    assert found == leads


def test_items_under_a_lead_are_no_part_of_its_pin():
    text = "It does not support:\n- a\n- b"
    assert pins_of(text, NEGATION) == [(NEGATION, "It does not support:")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("5 🇩🇪🇫🇷 and 6👍🏽 7\u200d8", id="emoji"),
        pytest.param("a\ud800 5 km \udfff not x_1 `y`", id="lone-surrogates"),
        pytest.param("\x00 5\x00km is not \x00", id="nul"),
        pytest.param("؀5 ก็ไม่ 5ำ", id="prepended-and-late-marks"),
    ],
)
def test_odd_text_has_pins(text):
    assert all(0 <= pin.start < pin.end <= len(text) for pin in find_pins(text))
    assert find_pins(text)


def test_a_mark_on_the_last_character_belongs_to_the_pin():
    assert pins_of("It is 5 km\u0301 away.", NUMBER)[0][1].endswith("\u0301")


@pytest.mark.parametrize(
    "part",
    [
        "1.", "1,1", "1 ", "(", ")", "[", "[1", "[1]", "(A ", "a", "aA", "a_", "a.", "a/", "/a", "\\a", "a@", "a-",
        "1-", "A-1", "not ", "No. ", "Except. ", "`", "``", "``a ''", "`a", "`a\n", "http://", "://", "www.",
        "10.1000/", "a:1", "1:", "::", "$", "#1", "- ", "-", "§", "§ 1", "twenty ", "million ", " million", "one and ",
        "Section ", "March 1 ", "May ", " v. ", "A v. ", "a\n", "- not:\n", "# no\n", "not:\n", "\n", "3万", "年", "١",
        "e\u0301", "\u200d", "🇩", "\ud800",
    ],
)  # fmt: skip
def test_long_monotony_takes_linear_time(part):
    text = part * (65_536 // len(part))
    assert len(find_pins(text)) <= len(text)
    assert len(negating_leads(text)) <= len(text)
    half = len(text) // 2
    assert all(pin.start < pin.end for pin in maimed_pins(text, [(0, half)], ()))


@pytest.mark.parametrize("pattern", ["x.*y|x", "(x+)+y|x", "x*y|x"])
def test_patterns_take_linear_time(pattern):
    assert len(compile_patterns((pattern,)).find("x" * 65_536)) == 65_536


def test_of_a_match_that_is_too_long_the_beginning_counts():
    pins = compile_patterns(("ax*",)).find("-a" + "x" * 5_000)
    assert [pin.start for pin in pins] == [1]
    assert pins[0].end > MAX_MATCH_LENGTH


PATTERNS = [
    pytest.param("größe: 😀 KD-77 und KD-78", "KD-\\d+", ["KD-77", "KD-78"], id="code-points-not-bytes"),
    pytest.param("\ud800 KD-77", "KD-\\d+", ["KD-77"], id="lone-surrogate"),
    pytest.param("", "a", [], id="empty-text"),
    pytest.param("aab", "a*b|a", ["aab"], id="leftmost-first"),
    pytest.param("ä" * 4000 + "KD-1 XKD-2 KD-3", "\\bKD-\\d", ["KD-1", "KD-3"], id="far-on-with-its-context"),
    pytest.param("-" * 1023 + "KD-1" + "-" * 2000 + "KD-2", "KD-\\d", ["KD-1", "KD-2"], id="over-a-window's-end"),
    pytest.param("KD-1 KD-2", "^KD-\\d", ["KD-1"], id="anchored"),
]


@pytest.mark.parametrize(("text", "pattern", "found"), PATTERNS)
def test_patterns(text, pattern, found):
    pins = compile_patterns((pattern,)).find(text)
    assert [text[pin.start : pin.end] for pin in pins] == found
    assert all(pin.type is PinType.PATTERN for pin in pins)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param("(", "missing", id="no-re2"),
        pytest.param("(?=a)", "invalid", id="look-ahead"),
        pytest.param("a*", "empty", id="matches-the-empty-string"),
        pytest.param("", "empty", id="empty"),
        pytest.param("a" * 257, "longer", id="too-long"),
        pytest.param("\ud800", "surrogate", id="lone-surrogate"),
    ],
)
def test_bad_patterns(pattern, message):
    with pytest.raises(PatternError, match=message) as error:
        compile_patterns(("fine", pattern))
    assert error.value.index == 1


MAIMED = [
    pytest.param("It is 5 km away.", ["It is 5"], ["5 km"], id="unit-cut-off"),
    pytest.param("It is 5 km away.", ["5 km away."], [], id="whole-pin-kept"),
    pytest.param("It is 5 km away.", ["It is"], [], id="whole-pin-dropped"),
    pytest.param("It is 5 km away.", ["It is 5", "km away."], [], id="only-white-space-dropped"),
    pytest.param("Ann goes. But not Bob.", ["Ann goes."], ["Ann goes. But not Bob."], id="exception-dropped"),
    pytest.param("Ann goes, but not Bob. Carl goes.", ["Ann goes,"], ["Ann goes, but not Bob."], id="half-a-sentence"),
    pytest.param("Ann goes, but not Bob. Carl goes.", ["Carl goes."], [], id="other-sentence"),
    pytest.param("Run `make all` now.", ["Run `make"], ["`make all`"], id="code"),
    pytest.param("As (Smith et al., 2020) say.", ["As (Smith"], ["(Smith et al., 2020)"], id="citation"),
    pytest.param("Set max_tokens here.", ["Set max"], ["max_tokens"], id="inside-a-word"),
    pytest.param("Ask for KD 77 now.", ["Ask for KD"], ["KD 77"], id="pattern"),
    pytest.param("It is 5 km away.", [], [], id="nothing-kept"),
    pytest.param("It is 5 km away.", ["It is 5 km away."], [], id="everything-kept"),
]


@pytest.mark.parametrize(("text", "kept", "pins"), MAIMED)
def test_maimed(text, kept, pins):
    spans = [(text.index(part), text.index(part) + len(part)) for part in kept]
    assert [text[pin.start : pin.end] for pin in maimed_pins(text, spans, ("KD \\d+",))] == pins


def _units(*bounds, **more):
    return [Unit(start, end, **more) for start, end in bounds]


def test_what_is_remembered_of_a_text_goes_by_its_kind():
    text, kept = "The road is not\nopen today.", [(0, 15)]
    found = [[pin.end for pin in maimed_pins(text, kept, (), kind)] for kind in ("docs", "history", "code") * 2]
    assert found == [[len(text)], [], []] * 2


def test_units_of_a_pin_need_each_other():
    text = "Take 5 km of it."
    bound = bind(_units((0, 6), (7, 9), (10, 16)), find_pins(text))
    assert [unit.needs for unit in bound] == [(1,), (0,), ()]
    assert [unit.pins[NUMBER - 1] for unit in bound] == [1, 0, 0]


def test_needs_and_counts_that_were_there_stay():
    text = "Take 5 km."
    first = Unit(0, 6, needs=(1,), pins=(0, 1, 0, 0, 0, 0, 0, 0))
    bound = bind([first, Unit(7, 10, needs=())], find_pins(text))
    assert bound[0].needs == (1,)
    assert bound[1].needs == (0,)
    assert bound[0].pins == (1, 1, 0, 0, 0, 0, 0, 0)


def test_a_pin_before_the_first_unit_counts_for_it():
    assert bind(_units((7, 9)), find_pins("Take 5 km."))[0].pins[NUMBER - 1] == 1


def test_items_need_their_lead():
    text = "Not supported:\n- a\n- b\n\nYes."
    bound = bind(_units((0, 14), (15, 18), (19, 22), (24, 28)), find_pins(text), negating_leads(text))
    assert [unit.needs for unit in bound] == [(), (0,), (0,), ()]
