"""Secrets that are known by what stands before them: `password = …`, `the API key is …`, `Authorization: Bearer …`."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from services.gateway.guard.detectors.secret_values import is_key, is_long_key, is_secret
from services.gateway.guard.hit import Hit
from services.gateway.guard.policy import SensitiveType

_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "key", "credential", "passwort",
    "kennwort", "schlüssel", "mot de passe", "jeton", "clé", "contraseña", "clave", "bearer", "basic", "akia", "asia",
)  # fmt: skip
"""What every pattern below begins with, in lower case: a search for words is faster than one for patterns."""
_NAME = re.compile(
    r"(?:(?P<human>pass(?:word|wd|phrase|code)|pwd|passwort|kennwort|mot de passe|contraseña)"
    r"|(?P<token>secret|token|credential)|(?P<key>key|schlüssel)|jeton(?:[ ]d['\u2019]accès)?"
    r"|clé[ ](?:(?:d['\u2019]|de[ ])?(?:api|accès|chiffrement|signature)|secrète|privée)"
    r"|clave(?:[ ](?:(?:de[ ])?(?:api|acceso|cifrado|firma)|secreta|privada))?)"
    r"(?:[_-](?:access[_-])?key|[_-]?(?:prod|live|dev|test|staging|[0-9]{1,2}))?",
    re.IGNORECASE,
)
"""What a secret is called: one that somebody makes up, one that a program makes."""
_KEY_OF = re.compile(
    r"(?:(?P<setting>api[ _-]?|(?:access|account|private|encryption|signing|auth)[_-]?)"
    r"|(?:access|account|private|encryption|decryption|signing|auth|secret|master|shared|subscription|deploy|webhook"
    r"|licen[sc]e|api|geheime?[nr]?|zugriffs|zugangs|private[nr]|signatur)[ _-]?)\Z",
    re.IGNORECASE,
)
"""What stands before "key" where it is one that opens something."""
_LONGEST_KIND: Final = 16
"""Characters of that."""
_SIGN = re.compile(
    r"[\"'`\]*]{0,3}[ \t\xa0]{0,8}(?::=|=>|==|=|:|>)(?:\*{1,2}(?=[ \t]))?[ \t]{0,8}"
    r"|[\"'],[ ]?(?=[\"'])|(?P<blank>[ ])(?=\S)"
)
"""What assigns a value to a setting. A blank does so behind an option."""
_OF: Final = r"(?:[ ](?:for|of|on|to|für|zu[rm]?|vo[nm]|de[rs]|pour|du|del?|para)(?:[ ][\w.@/-]{1,30}){1,4}?)?"
"""What a secret is for: "the password for the admin account"."""
_IS: Final = r"(?:is|was|are|ist|war|lautete?|est|était|es|era)(?:[ ](?:now|jetzt|nun|maintenant|ahora))?"
_TOLD = re.compile(
    rf"{_OF}[ ](?:(?:(?:is|was|has[ ]been)[ ])?(?:(?:re)?set|changed|updated)[ ]to|{_IS})[: ]{{1,2}}", re.IGNORECASE
)
"""How a sentence tells a secret."""
_BESIDE = re.compile(rf"[ ]to[ ]|{_OF}(?:[ \t]{{0,8}}[→|][ \t]{{0,8}}|[ ]->[ ]|:[ ])", re.IGNORECASE)
"""What else may stand between a secret and its name: an arrow, the border of a cell."""
_BELOW = re.compile(r":?\*{0,2}[ \t]{0,8}(?:\r?\n[ \t]{0,8}){1,2}")
"""A line that ends with the name, as where a console shows a key."""
_VALUE = re.compile(
    r"\"(?P<double>[^\"\n]{6,256})\"|'(?P<single>[^'\n]{6,256})'|`(?P<back>[^`\n]{6,256})`"
    r"|\*\*(?P<bold>[^\s*]{6,256})\*\*"
    r"|(?P<bare>(?:[^\s\"'`,;<>(){}\[\]&|]|&(?!amp;|[\w.-]{0,64}=)){6,256})"
)
"""A value. An `&` belongs to it unless another parameter follows."""
_OPTION = re.compile(r"--[\w-]*\Z")
"""How an option of a command begins, whose value stands behind a blank."""
_HEADER = re.compile(r"(?:bearer|basic)[ ]{1,4}(?P<bare>[A-Za-z0-9._~+/=-]{16,2048})", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[?&])key=(?P<bare>[A-Za-z0-9._~+/=-]{16,512})")
_AWS_ID = re.compile(r"(?P<bare>A(?:KI|SI)A[A-Z2-7]{16})(?!\w)")
_BLANK_BEFORE: Final = 24
"""Characters before a word in which its option begins."""


class Credentials:
    """Values that are assigned to a name which says that they are secret, or told in a sentence with it; keys of AWS,
    headers of HTTP.

    Left out are what documentation writes in their place, calls and names, and values of letters alone.
    """

    name = "credential"

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        lowered = text.replace("İ", "I").lower()  # the one character whose lower case is longer
        for word in _WORDS:
            at = lowered.find(word)
            while at >= 0:
                yield from _introduced(text, at)
                for found in (_HEADER.match(text, at), _QUERY.match(text, at), _AWS_ID.match(text, at)):
                    if found:
                        yield from _hit(text, found, is_secret)
                at = lowered.find(word, at + 1)


def _introduced(text: str, at: int) -> Iterator[Hit]:
    """The secrets that a name which stands there introduces."""
    name = _NAME.match(text, at)
    kind = _KEY_OF.search(text, max(0, at - _LONGEST_KIND), at) if name and name["key"] else None
    if not name or (name["key"] and not kind):
        return
    is_setting = name["human"] or name["token"] or (kind and kind["setting"])
    sign = _SIGN.match(text, name.end())
    if sign and sign["blank"] and not _OPTION.search(text, max(0, at - _BLANK_BEFORE), at):
        sign = None
    for link, accepts in (
        (sign, is_secret if is_setting else is_key),
        (_TOLD.match(text, name.end()), is_secret if name["human"] else is_key),
        (_BESIDE.match(text, name.end()), is_key),
        (_BELOW.match(text, name.end()), is_long_key),
    ):
        if link and (value := _VALUE.match(text, link.end())):
            yield from _hit(text, value, accepts)


def _hit(text: str, found: re.Match[str], accepts: Callable[[str], bool]) -> Iterator[Hit]:
    """The group that matched, if it is a secret."""
    start, end = found.span(found.lastgroup or 0)
    if found.lastgroup == "bare":
        end = start + len(text[start:end].rstrip(".:?&" if text[start - 1] == "=" else ".:?"))
    if accepts(text[start:end]):
        yield Hit(start, end, SensitiveType.SECRET)
