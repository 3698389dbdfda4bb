"""Whether an answer depends on the moment of asking: such questions are not answered from a cache.

A false alarm costs a computation, a miss a wrong answer: what may be meant either way is an alarm.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_VERBATIM = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|«[^»]*»|\w+(?:[._]\w+)+(?:\(\))?|\w+\(\)|\w*[a-z][A-Z]\w*")
"""Quoted words and identifiers say nothing of the time: "Now", now(), datetime.today, ServiceNow."""
_TITLE = re.compile(r"(\b[a-z]+,? )(?:[A-Z]\w+ )+(?:Now|Today|Tomorrow|Tonight|Yesterday|Current|News)\b")
"""A name behind a word in small letters: Apocalypse Now."""
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[.?!,]")

_ALWAYS = (
    _words("""
        today today's tonight tonight's yesterday yesterday's tomorrow tomorrow's currently nowadays presently recently
        lately anymore ago recent latest newest upcoming up-to-date up-to-the-minute present-day trending already news
        headline headlines weather forecast outage outages standings
    """)
    | _words("""
        jetzt heute heutige heutigen heutiger gestern vorgestern morgen übermorgen derzeit momentan gegenwärtig zurzeit
        neuerdings kürzlich aktuell aktuelle aktuellen aktueller aktuelles aktuellste aktuellsten neueste neuesten
        neuester neuestes jüngste jüngsten bisher
    """)
    | _words("""
        aujourd'hui maintenant actuellement demain récemment dernièrement désormais actuel actuels actuelle
        actuelles récent récents récente récentes toujours
    """)
    | _words("""
        hoy ahora ayer mañana anoche actualmente recientemente reciente recientes últimamente actual actuales todavía
        aún
    """)
)
"""Words of English, German, French and Spanish that no neighbour makes harmless. English "actual" is a false alarm."""


class _Excuse(NamedTuple):
    """Neighbours beside which a word has another sense."""

    before: frozenset[str]
    after: frozenset[str]


_UNLESS = {
    "now": _Excuse(frozenset(), _words("that")),
    "yet": _Excuse(_words("and , but"), frozenset()),
    "still": _Excuse(
        _words("stand stands stood sit sits sat keep keeps hold holds lie lies stay stays"),
        _words("water waters image images life photo photos picture pictures frame frames birth camera"),
    ),
    "current": _Excuse(
        _words("""
            alternating direct electric electrical eddy leakage inrush induced ocean sea rip gulf jet residual
            short-circuit rated bias dark
        """),
        _words("""
            through flows flowing density transformer sensor divider mirror loop clamp in
            assets liabilities ratio directory folder thread scope element index cursor line row
        """),
    ),
    "hier": _Excuse(_words("was ist steht sind wo wird kann ich du er sie es wir und oder nicht von"), frozenset()),
}
"""Words that mean a time unless one of these neighbours stands there. "Hier" is yesterday in French, here in German."""

_UNIT = r"(?:second|minute|hour|day|night|week|weekend|month|quarter|year|decade|season|semester|term)"
_PERIOD = (
    rf"(?:{_UNIT}s?|morning|afternoon|evening|spring|summer|autumn|fall|winter|christmas|easter|century"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|august"
    r"|september|october|november|december)"
)
_COUNT = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|few|couple\ of|several)"
_ENGLISH = rf"""
      \bat\ (?:the\ moment|present\b|th(?:is|e\ present)\ (?:moment|time|point|stage)) | \bthese\ days\b
    | \bso\ far\b(?!\ as) | \b(?:up\ )?to\ date\b | \bas\ of\ this\b | \b(?:any\ more|any\ longer|no\ longer)\b
    | \bthis\ (?:past\ |coming\ )?{_PERIOD}\b
    | \b(?:last|past|next|previous|coming|following)\ (?:{_COUNT}\ )?(?:full\ |business\ |fiscal\ )?{_PERIOD}\b
    | \b(?:since|until|till)\ (?:when|last|this|next)\b | \bany\ updates?\b | \bjust\ (?:been|released|announced)\b
    | \bmost\ recent | \blast\ (?:version|release|update|patch|edition|price|score)\b
    | \bwhat(?:'s|\ is|\ are)\ (?:new|happening|going\ on)\b | \bstatus\ of\b
    | \bwhat\ (?:time|day|date|year|month)\ is\ (?:it|this)\b
    | \bwhat(?:'s|\ is)\ the\ (?:time|date|day)\s*(?:[?.!]|$|in\b)
    | \bhow\ many\ {_UNIT}s\ (?:until|till|left|to\ go)\b | \bhow\ long\ (?:until|till)\b
    | \b(?:live|real[- ]time)\ (?:scores?|status|data|prices?|updates?|results?|traffic)\b
    | \b(?:is|are)\ .{{1,60}}\ (?:down|up|open|online|offline|available|in\ stock|sold\ out|delayed)\s*(?:[?.!]|$)
    | \b(?:exchange\ rate|(?:stock|share|spot|bitcoin|gold|oil)\ price|price\ of\ (?:bitcoin|gold|silver|oil))s?\b
    | \btemperature\ (?:outside|in\ [A-Z])
"""
_GERMAN = r"""
      \bim\ (?:moment|augenblick)\b | \bimmer\ noch\b | \bnoch\ nicht\b | \bwie\ (?:spät|viel\ uhr)\b
    | \b(?:diese|letzte|nächste|vergangene|kommende|vorige)[nrsm]?\ (?:\w+\ )?
      (?:woche|monat|jahr|quartal|tag|nacht|wochenende|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|version)
    | \bvor\ \w+\ (?:sekunde|minute|stunde|tag|woche|monat|jahr)
"""
_FRENCH = r"""
      \ben\ ce\ moment\b | \bà\ (?:l'heure\ actuelle|ce\ jour|présent)\b | \bjusqu'ici\b | \bquelle\ heure\b
    | \bc(?:e|et|ette)\ (?:semaine|année|mois|matin|soir|trimestre|après-midi|nuit|week-end)\b | \bpas\ encore\b
    | \b(?:semaine|année|mois|trimestre|an|nuit)\ (?:derni[eè]re?|prochaine?|passée?)\b
    | \bderni[eè]re?s?\ (?:version|nouvelles|jours|semaines|mois|années)\b
    | \bil\ y\ a\ (?:\d+|une?|deux|trois|quelques)\b
"""
_SPANISH = r"""
      \ben\ (?:este\ momento|la\ actualidad)\b | \bhasta\ la\ fecha\b | \bqué\ hora\b
    | \bhace\ (?:\d+|una?|dos|tres|unos|unas)\b | \best[ea]\ (?:semana|mes|año|trimestre|noche|tarde)\b
    | \b(?:semana|mes|año|trimestre)\ (?:pasad[oa]|próxim[oa]|que\ viene)\b
    | \b(?:próxim|últim)[oa]s?\ (?:semana|mes|año|versión|día|noticia)
"""
_PHRASES = re.compile(f"{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH}", re.IGNORECASE | re.VERBOSE)


@lru_cache(4096)
def time_sensitive(question: str) -> bool:
    """Whether the answer depends on when it is asked; English, and the plain words of German, French and Spanish."""
    plain = _TITLE.sub(r"\1X", _VERBATIM.sub(" X ", question.replace("’", "'")))  # noqa: RUF001 - as it is typeset
    words = _WORD.findall(plain.lower())
    return not _ALWAYS.isdisjoint(words) or _unexcused(words) or _PHRASES.search(" ".join(plain.split())) is not None


def _unexcused(words: list[str]) -> bool:
    for at, word in enumerate(words):
        if word in _UNLESS:
            excuse = _UNLESS[word]
            before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
            if before not in excuse.before and after not in excuse.after:
                return True
    return False
