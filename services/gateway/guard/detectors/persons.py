"""Names of persons, where the text around them says that they are names."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from services.gateway.guard.hit import Hit
from services.gateway.guard.occurrences import is_whole
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType

_DATA: Final = Path(__file__).parent.parent / "data"
_WORD: Final = r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*"
_WORDS = re.compile(_WORD)
_NAME = re.compile(rf"{_WORD}\.?(?:[ \xa0]{_WORD}\.?){{0,5}}")
_PARTICLE: Final = r"(?:a[fl]|bin|d[aeiou]|dell?a?|de[nr]|dos|el|ibn|l[ae]|ter|van|vo[mn]|zu[mr]?)"
"""A small word inside of a name."""
_PARTICLES = re.compile(_PARTICLE)
_CAPITAL: Final = r"(?=[^\Wa-z\d_])"
_PAIR = re.compile(rf"(?<![\w'\u2019-]){_CAPITAL}({_WORD})[ \xa0](?:{_PARTICLE}[ \xa0]){{0,2}}{_CAPITAL}")
"""Two words that do not begin with a small letter."""
_CODE = re.compile(r"[A-Z]{2,}[a-z]|[a-z]{3}[A-Z]")
"""`DisplayName` and `HTTPServer` are no names; `McQueen` is one."""
_SHORTEST: Final = 3
"""Letters of a name: two are initials."""
_OPENING = re.compile(r"(?:\A|[.!?:;|(*>\n\u2022-])[ \t]{0,4}\Z")
"""What stands before a sentence, a cell or an item of a list."""
_LONGEST_OPENING: Final = 5
"""Characters of that."""
_REQUEST = re.compile(rf"({_WORD})[ ](?=[a-z])")
"""The beginning of a sentence, and no name."""
_BELONGS = frozenset({"at", "bei", "chez", "from", "of"})
"""What stands between a name and where its owner works: "Ann Lee of Acme <ann@…>"."""

_FIELD: Final = (
    r"(?:full|first|last|middle|given|family|maiden|customer|client|patient|employee|contact|card_?holder|user|author|"
    r"account[ _-]?holder|beneficiary|recipient|legal|owner|manager|doctor|guest|passenger|tenant|signatory|applicant|"
    r"candidate|student|teacher|display)[ _-]?name|surname|card_?holder|account[ _-]holder|beneficiary|assignee|"
    r"reporter|patient|passenger|applicant"
)
_TITLE: Final = r"(?:Mrs?|Ms|Mx|Miss|Dr|Prof|Professor|Sir|Dame|Herrn?|Frau|Mme|Mlle|Madame|Monsieur|Señora?|Signora?)"
_TRAILER: Final = (
    r"From|To|Cc|Bcc|Reply-To|Sender|Author|Commit|Committer|Signed-off-by|Co-authored-by|Reviewed-by|Acked-by|"
    r"Tested-by|Reported-by|Von|An"
)
_ENDING: Final = (
    r"regards|wishes|thanks|thank you|cheers|sincerely|yours truly|yours faithfully|Grüßen|Grüße|cordialement|saludos"
)
_GREETING: Final = r"dear|hi|hello|hey|liebe[r]?|hallo|bonjour|hola|good morning|good afternoon"
_INTRODUCTION: Final = r"my name is|his name is|her name is|ich heiße|mein name ist|je m'appelle|me llamo|mi chiamo"

_CUES: Final = tuple(
    Pattern(re.compile(before + cue), cue)
    for before, cue in (
        (r"(?<!\w)", rf"{_TITLE}\.?[ \xa0](?:(?:Dr|Prof)\.[ \xa0])?"),
        (r"(?m:^)[ \t>*]{0,4}", rf"(?i:{_TRAILER}):[ \t]{{1,8}}[\"']?"),
        (r"", rf"(?i:{_ENDING})[,.!]?[ \t]*(?:\r?\n[ \t]*){{1,3}}(?:--?[ ]?)?"),
        (r"(?m:^)[ \t>]{0,4}", rf"(?i:{_GREETING})[ ]"),
        (r"(?<!\w)", rf"(?i:{_INTRODUCTION})[ ]"),
        (r"(?<![A-Za-z])", rf"(?i:{_FIELD})[\"'`*]{{0,3}}[ \t]?[:=|][ \t*]{{0,4}}[\"'`]?"),
    )
)
"""What stands before a name: a form of address, the head of a mail or the trailer of a commit, the end of a mail, its
beginning, an introduction, the key of a field that holds a name."""
_BEFORE_ADDRESS = Pattern(
    re.compile(rf"(?<![\w'\u2019-])({_WORD}\.?(?:[ \xa0]{_WORD}\.?){{0,3}})[\"']?[ ]<[\w.+-]{{1,64}}@"),
    r" <[\w.+-]{1,64}@",
)
"""`Ann Lee <ann@…>`."""


class Persons:
    """Names behind a form of address, in the head, greeting and end of mails, in trailers of commits, in fields, before
    a mail address in angle brackets, and given names with a surname behind. The first and the last word of a name that
    was found so count where they stand alone, in the same text.

    What is missed: names without any of that, given names that are not in the list, names in small letters.
    """

    name = "person"

    def __init__(self) -> None:
        self._given = frozenset((_DATA / "given_names.txt").read_text(encoding="utf-8").split())
        self._openers = frozenset((_DATA / "openers.txt").read_text(encoding="utf-8").split())
        self._no_names = frozenset((_DATA / "no_names.txt").read_text(encoding="utf-8").split())
        self._cues = Patterns(_CUES)
        self._addressed = Patterns([_BEFORE_ADDRESS])

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        hits = set(self._named(text))
        yield from hits
        yield from self._alone(text, hits)

    def _named(self, text: str) -> Iterator[Hit]:
        for _, cue in self._cues.find(text):
            if not self._is_request(text, cue):
                yield from self._name_at(text, cue.end())
        for _, words in self._addressed.find(text):
            if (begin := self._addressee(text, words)) is not None:
                yield from self._name_at(text, begin)
        for pair in _PAIR.finditer(text):
            if self._is_given(pair[1].partition("-")[0]):
                yield from self._name_at(text, pair.start(), least=2)

    def _is_request(self, text: str, cue: re.Match[str]) -> bool:
        """Whether it is a sentence such as "Call me" that begins below "Thanks,"."""
        found = _REQUEST.match(text, cue.end())
        return bool(found and found[1] in self._openers and cue[0].rstrip(" \t").endswith("\n"))

    def _addressee(self, text: str, words: re.Match[str]) -> int | None:
        """Where the name begins that stands before an address, behind other words: "Please write to Ann <ann@…>"."""
        begin, inside, belongs = None, False, False
        opens = bool(_OPENING.search(text, max(0, words.start() - _LONGEST_OPENING), words.start()))
        for word in _WORDS.finditer(text, *words.span(1)):
            if word[0][0].islower():
                if inside and not _PARTICLES.fullmatch(word[0]):
                    inside, belongs = False, word[0] in _BELONGS
                opens = False
            elif not inside and not (opens and word[0] in self._openers):
                begin, inside, opens = begin if belongs else word.start(), True, False
            if len(word[0]) > 1 and text.startswith(".", word.end()):
                inside, belongs, opens = False, False, True  # a new sentence
        return begin

    def _is_given(self, word: str) -> bool:
        if word in self._given:
            return True
        plain = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
        return not word.isascii() and plain in self._given

    def _name_at(self, text: str, start: int, *, least: int = 1) -> Iterator[Hit]:
        """The name that begins there, of at least so many capitalised words."""
        found = _NAME.match(text, start)
        end, words = start, 0
        for word in _WORDS.finditer(found[0]) if found else ():
            bare = word[0].removesuffix("'s").removesuffix("\u2019s")
            if bare in self._no_names or _CODE.search(bare) or (least > 1 and len(bare) > 1 and bare.isupper()):
                break
            if bare[0].isupper():
                end, words = start + word.start() + len(bare), words + 1
            elif not words or not _PARTICLES.fullmatch(bare):
                break
            if len(bare) > 1 and (bare != word[0] or text.startswith(".", end)):
                break  # a genitive, or the end of a sentence
        if words >= least and end - start >= _SHORTEST and (words > 1 or not text[start:end].isupper()):
            yield Hit(start, end, SensitiveType.PERSON)

    def _alone(self, text: str, hits: Iterable[Hit]) -> Iterator[Hit]:
        """The first and the last words of names of several, wherever they stand."""
        names = [_WORDS.findall(text[hit.start : hit.end]) for hit in hits]
        parts = {part for name in names if len(name) > 1 for part in (name[0], name[-1])}
        for part in sorted(parts - self._no_names):
            start = text.find(part) if len(part) >= _SHORTEST else -1
            while start >= 0:
                if is_whole(text, start, start + len(part), SensitiveType.PERSON):
                    yield Hit(start, start + len(part), SensitiveType.PERSON)
                start = text.find(part, start + 1)
