"""Word lists of the language rules, as data: lower case, without the full stop of an abbreviation."""

from __future__ import annotations


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


STOP_WORDS = _words("""
    a about above after again against all am an and any are aren't as at be because been before being below
    between both but by can't cannot could couldn't did didn't do does doesn't doing don't down during each few
    for from further had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself
    him himself his how how's i i'd i'll i'm i've if in into is isn't it it's its itself let's me more most
    mustn't my myself no nor not of off on once only or other ought our ours ourselves out over own same shan't
    she she'd she'll she's should shouldn't so some such than that that's the their theirs them themselves then
    there there's these they they'd they'll they're they've this those through to too under until up very was
    wasn't we we'd we'll we're we've were weren't what what's when when's where where's which while who who's
    whom why why's with won't would wouldn't you you'd you'll you're you've your yours yourself yourselves
""")
"""Words that say nothing of a text's subject: the English list of the Snowball project."""

ATTACHED = _words("""
    adm approx attn brig capt cf cmdr cmdt col cpl dr e.g gen gov hon i.e lt maj messrs mlle mme mr mrs ms msgr
    mx pres prof pvt rep resp rev sen sgt supt viz vs
""")
"""Before a full stop, always followed by what they belong to: titles, "e.g.", "vs."."""

NUMBERED = _words("""
    apr art aug b c ca ch chap d dec eq eqs ex feb fig figs fl jan jul jun mar no nos nov nr oct op p pp pt r
    ref refs sec sect sep sept tab v ver vol vols
""")
"""Before a full stop, no end of a sentence when a number follows: "Fig. 3", "No. 5", "c. 1735", "Jan. 5"."""

AMBIGUOUS = _words("""
    al apr aug ave blvd bros calif co conn corp dec dept dist ed eds esp est etc feb fla ft hwy inc jan jr jul
    jun llc ltd mt nov oct orig oz pop rd rev sept sq sr st tex trans univ
""")
"""Before a full stop, an end only when one of `STARTERS` follows: "Acme Inc. The …", but "Acme Inc. Paris"."""

STARTERS = _words("""
    about after all although an and another as at because before both but by despite during each for from
    further he her here his how however if in instead it its many meanwhile more most no of on once one other
    our others she since so some such that the their then there these they this those though thus to today two
    under unlike until we what when where whether which while who why with you your
""")
"""Capitalised only where a sentence begins. "A" and "I" are not here: they are initials too."""
