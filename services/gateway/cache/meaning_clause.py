"""The order of words: an indirect question becomes a direct one, and a few turns of phrase become one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.cache.meaning_lexicon import (
    ACTIONS,
    AUXILIARIES,
    BE,
    CLAUSES,
    DETERMINERS,
    ENDINGS,
    HOW_MUCH,
    NEGATED,
    PRONOUNS,
    QUANTIFIERS,
    QUESTION_WORDS,
    RELATIONS,
    VERBS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Words = list[str]


def direct(words: Words) -> Words:
    """An indirect question in the order of a direct one; as it stands where its subject is not plain to see."""
    head = _head(words)
    clause = words[head:]
    if len(clause) < len(("subject", "verb")) or clause[0] in AUXILIARIES:
        return words
    for order in (_pronoun, _middle, _last):
        if turned := order(clause, words[0]):
            return turned if words[0] in ("if", "whether") else words[:head] + turned
    return ["whether", *words[1:]] if words[0] == "if" else words


def _head(words: Words) -> int:
    """How many words ask: "how old", "what time", "why"."""
    if words[0] == "how" and words[1] in HOW_MUCH:
        return 2
    return 2 if words[:2] == ["what", "time"] else 1


def _pronoun(clause: Words, _asked: str) -> Words | None:
    """Where I can find -> where can I find."""
    return [clause[1], clause[0], *clause[2:]] if clause[0] in PRONOUNS and clause[1] in AUXILIARIES else None


def _middle(clause: Words, _asked: str) -> Words | None:
    """Where the office is located -> where is the office located."""
    if clause[0] not in DETERMINERS and not clause[0][0].isupper():
        return None
    at = next((at for at, word in enumerate(clause) if word in AUXILIARIES), 0)
    # "This" and "my" can stand alone only with a word behind, which an auxiliary is not.
    if at < 1 + (clause[0] in DETERMINERS) or not CLAUSES.isdisjoint(clause[:at]):
        return None
    return [clause[at], *clause[:at], *clause[at + 1 :]]


def _last(clause: Words, asked: str) -> Words | None:
    """How the pump works -> how does the pump work; who the author of the book is -> who is the author of the book."""
    subject, verb = clause[:-1], clause[-1]
    if asked in _NOT_LAST or not AUXILIARIES.isdisjoint(subject) or not CLAUSES.isdisjoint(subject):
        return None
    if verb in BE and clause[0] not in PRONOUNS:
        return [verb, *subject]
    if verb in ENDINGS and (
        len(subject) > 1 if subject[0] in DETERMINERS else subject[0][0].isupper() or subject == ["it"]
    ):
        return ["does", *subject, ENDINGS[verb]]
    return None


_NOT_LAST = frozenset({"if", "whether", "which", "whose", "whom"})


_HOW_I = (["how", "do", "I"], ["how", "can", "I"])
_HOW_ANYBODY = (["how", "does", "one"], ["what", "is", "the", "way", "to"])


def one_way_to_ask_how(words: Words) -> Words:
    """How do I, how can I, how does one, what is the way to: how to, before verbs of what one does on purpose.

    Behind "one" and "to" many of them may be nouns: how does one filter work.
    """
    for opening in (*_HOW_I, *_HOW_ANYBODY):
        length = len(opening)
        if words[:length] == opening and words[length : length + 1] and words[length] in ACTIONS:
            verb, follows = words[length], words[length + 1 : length + 2]
            if opening in _HOW_I or verb in VERBS or not DETERMINERS.isdisjoint(follows):
                return ["how", "to", *words[length:]]
    return words


def one_way_to_own(words: Words) -> Words:
    """What is France's capital -> what is the capital of France."""
    if (
        len(words) < len(("what", "is", "X's", "Y"))
        or words[0] not in ("what", "who")
        or words[1] not in BE
        or words[-1] not in RELATIONS
    ):
        return words
    owner = words[2:-1]
    if not owner[-1].endswith("'s") or not all(word[0].isupper() for word in owner) or "'" in owner[-1][:-2]:
        return words
    return [*words[:2], "the", words[-1], "of", *owner[:-1], owner[-1][:-2]]


def spelled_negations(words: Words) -> Words:
    """Doesn't -> does not, where it stands behind its subject: before it, "not" could belong to what follows.

    Why can't I -> why can I not. "Does not saving it hurt" is not "doesn't saving it hurt".
    """
    if words[0] == "why" and words[2:3] and words[2] in PRONOUNS:
        if words[1] == "cannot":
            return ["why", "can", words[2], "not", *words[3:]]
        if words[1] in NEGATED:
            positive = NEGATED[words[1]].removesuffix("not").strip()
            return ["why", positive, words[2], "not", *words[3:]]
    written: Words = []
    for at, word in enumerate(words):
        if word in NEGATED and _behind_its_subject(words, at):
            written.extend(NEGATED[word].split())
        else:
            written.append(word)
    return written


def _behind_its_subject(words: Words, at: int) -> bool:
    if at == 0 or at + 1 == len(words):
        return False
    before, after = words[at - 1], words[at + 1]
    if before in PRONOUNS:
        return True
    if before == "who":
        return not after.endswith("ing") and after not in PRONOUNS | DETERMINERS | QUANTIFIERS
    if not before.isalpha() or before in QUESTION_WORDS | AUXILIARIES | CLAUSES | DETERMINERS:
        return False
    return not after.endswith("ing") and after.islower() and after not in PRONOUNS | DETERMINERS | QUANTIFIERS


STEPS: Sequence[Callable[[Words], Words]] = (spelled_negations, one_way_to_ask_how, one_way_to_own)
"""In this order."""
