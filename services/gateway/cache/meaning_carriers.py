"""What stands around a question and asks nothing: greetings, thanks, "can you tell me"."""

from __future__ import annotations

import re

_POLITE = r"(?:please|kindly|possibly)"
_THANKS = re.compile(
    r"(?:([?!.])|,(?=\s+(?-i:[pt])))\s+(?:please|thanks|thank you|thanks in advance|many thanks)\s*[.!?]*$",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b(?:say|said|spell|word|words|write|pronounce|translate|mean|means|meaning|reply|answer|phrase|term|call|polite|politer|politely)\b",
    re.IGNORECASE,
)
"""Beside these, thanks may be what the question is about."""
_GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: (?:there|all|everyone|everybody|team))?"
    r"(?:\s*[,!.]\s+|\s+(?=(?:what|how|why|when|where|which|who|can|could|please|I)\b))"
    r"|(?:just )?(?:a )?quick question\s*[:,]\s*"
    r"|I have a(?: quick)? question\s*[:,.]\s*",
    re.IGNORECASE,
)
_PLEASE = re.compile(r"please\s*,?\s+", re.IGNORECASE)
_REQUEST = re.compile(
    rf"(?:can|could|would|will) you (?:{_POLITE} )?(?=(?:explain|tell me|summari[sz]e|give me)\b)", re.IGNORECASE
)
_ASKED = r"(?:what|who|whom|whose|which|where|why|how)"
_INDIRECT = re.compile(
    r"(?:"
    # An order with "when" or "if" asks to be told at that moment.
    rf"(?:tell me|explain(?: to me)?|(?:can|could|would|will) you (?:{_POLITE} )?(?:let me know|help me understand))"
    rf"\s*,?:?\s+(?={_ASKED}\b)"
    r"|(?:do you (?:happen to )?know|I(?: would|'d) like to (?:know|understand)"
    r"|I (?:want|need) to (?:know|understand)|I(?: was|'m| am) wondering|I wonder"
    r"|would you mind telling me)"
    rf"\s*,?:?\s+(?=(?:{_ASKED}|when|if|whether)\b)"
    r")",
    re.IGNORECASE,
)
_SINGULAR = "capital|difference|population|price|date|name|purpose|meaning|definition|address|currency"
_NOUN = re.compile(rf"(?:tell me|give me) (?=the (?:{_SINGULAR}) (?:of|between)\b)", re.IGNORECASE)


def without_thanks(text: str) -> str:
    """Without "please" or "thanks" behind a comma or behind the question's end."""
    if _SPOKEN.search(text):
        return text
    while thanks := _THANKS.search(text):
        text = text[: thanks.start()] + (thanks[1] or "")
    return text


def without_carriers(text: str) -> tuple[str, bool]:
    """What is asked, and whether it may stand in the word order of a clause ("what the capital is")."""
    indirect = False
    while True:
        for pattern in (_GREETING, _PLEASE, _REQUEST):
            if found := pattern.match(text):
                text = text[found.end() :]
                break
        else:
            if found := _INDIRECT.match(text):
                text, indirect = text[found.end() :], True
                continue
            if found := _NOUN.match(text):
                return f"what is {text[found.end() :]}", False
            return text, indirect
