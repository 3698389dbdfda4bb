"""Word lists of the canonical form. A list is closed: what stands in none is kept as it was written.

A pair stands here only where no question is known in which one of its words means something else than the other.
"""

from __future__ import annotations


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _listed(listed: str) -> list[str]:
    return listed.split()


def _pairs(listed: str) -> dict[str, str]:
    """`colour color, grey gray`: the first word of each is written as the rest."""
    return dict(pair.strip().split(maxsplit=1) for pair in listed.split(","))


QUESTION_WORDS = _words("what which who whom whose when where why how")
BE = _words("is are was were am")
AUXILIARIES = BE | _words("can could should would will must may might shall")
PRONOUNS = _words("I you he she it we they there")
"""Subjects of one word, which cannot be anything else before or behind an auxiliary."""
DETERMINERS = _words("the a an my your our their his her its this that these those")
QUANTIFIERS = _words("all any every each both some many much most few only everyone anyone someone one")
CLAUSES = _words("who whom whose which that where when while if because and or to not never than as")
"""Words that end a plain noun phrase: what follows may have a verb of its own."""

OPENERS = (
    QUESTION_WORDS
    | AUXILIARIES
    | _words("""
        do does did has have had in on at for from to with without by under of after before during since until
        between if whether given I my our the this these there it
        explain describe summarize summarise compare tell give define show
        don't doesn't didn't isn't aren't wasn't weren't can't won't shouldn't what's who's where's when's how's whats
    """)
)
"""What a question that is understood begins with; their capital at the beginning says nothing."""
NAMESAKES = _words("will may")
"""Openers that are names as well: before a capital their own one stays."""

FUNCTION_WORDS = (
    OPENERS
    | PRONOUNS
    | DETERMINERS
    | CLAUSES
    | _words("be been being into onto till till than then within per , : ; ) (")
)
"""Beside them a figure stands alone: it counts nothing, and nothing counts it."""

ENGLISH = _words("""
    what which who whose when where why how does did could should would the and than this that these those my our your
    you she they there been being with without from each every between if whether explain describe summarize tell
    what's who's where's when's how's it's doesn't didn't don't isn't aren't wasn't weren't can't cannot won't
    enough allowed required supported included needed called used paid made good better worse bigger smaller faster
    slower cheaper more less most least safe tall high low true false user users people
""")
"""Words of English alone, or nearly so; one of them is wanted."""
ENGLISH_OPENERS = _words("is are can do must may will")
ENGLISH_BESIDE = _words("a I to for on at be any all not it both some of")
"""A word of each will do as well."""
FOREIGN = _words("""
    der das de
    des und ist nicht ein eine einen einem einer im dem des wie wann warum wer wo für mit von auf zu sind kann
    wird le les un une est et dans pourquoi que qui quel quelle où du au aux sur los las una es en por para qué cuál
    cómo het een van niet zijn wat hoe waar te il gli di che è não och att är og det på som op aan
    bij naar cu pe și mai
""")
"""Words that make it doubtful that a question is English: rules for figures differ from language to language."""

SPELLING = _pairs("""
    colour color, colours colors, coloured colored, favour favor, favourite favorite, favourites favorites,
    behaviour behavior, behaviours behaviors, neighbour neighbor, neighbours neighbors, honour honor, flavour flavor,
    labour labor, tumour tumor, tumours tumors, centre center, centres centers, centred centered, theatre theater,
    theatres theaters, fibre fiber, fibres fibers, defence defense, offence offense, offences offenses, licence license,
    licences licenses, grey gray, tyre tire, tyres tires, catalogue catalog, catalogues catalogs, aluminium aluminum,
    cancelled canceled, cancelling canceling, travelled traveled, travelling traveling, traveller traveler,
    travellers travelers, labelled labeled, labelling labeling, modelling modeling, analyse analyze, analysed analyzed,
    analysing analyzing, organise organize, organised organized, organisation organization,
    organisations organizations, optimise optimize, optimised optimized, optimisation optimization,
    customise customize, customised customized, customisation customization, authorise authorize,
    authorised authorized, unauthorised unauthorized, authorisation authorization, recognise recognize,
    recognised recognized, summarise summarize, minimise minimize, maximise maximize, prioritise prioritize,
    synchronise synchronize, synchronisation synchronization, initialise initialize, serialise serialize,
    serialisation serialization, normalise normalize, normalised normalized, normalisation normalization,
    utilise utilize, utilisation utilization, visualise visualize, visualisation visualization,
    categorise categorize, localisation localization, virtualisation virtualization, anaemia anemia,
    haemoglobin hemoglobin, leukaemia leukemia, oestrogen estrogen, diarrhoea diarrhea, oedema edema,
    paediatric pediatric, paediatrician pediatrician, orthopaedic orthopedic, haemorrhage hemorrhage,
    judgement judgment, ageing aging, sceptical skeptical, fulfil fulfill
""")
"""British to American. Not here, since two words meet: programme, cheque, disc, storey, practise, metre, dialogue."""

HYPHENS = _pairs("""
    e-mail email, e-mails emails, e-commerce ecommerce, wi-fi wifi, Wi-Fi wifi, WiFi wifi, Wifi wifi, WI-FI wifi,
    on-line online, off-line offline, web-site website, co-operate cooperate, co-operation cooperation,
    co-ordinate coordinate, open-source open source, two-factor 2 factor, multi-factor multi factor,
    long-term long term, short-term short term, full-time full time, part-time part time, third-party third party,
    no-one no one, end-to-end end to end, step-by-step step by step
""")
"""Listed, since a hyphen can be all that tells two words apart: re-sign, man-eating."""

SYNONYMS = _pairs("""
    somebody someone, everybody everyone, anybody anyone, nobody no one, whilst while, amongst among, towards toward,
    info information, photograph photo, photographs photos, television TV, televisions TVs, vs versus, vs. versus,
    cellphone cell phone, cellphones cell phones, approx approximately, approx. approximately
""")

CONTRACTIONS = _pairs("""
    I'm I am, I've I have, I'll I will, you're you are, you've you have, you'll you will, we're we are,
    we've we have, we'll we will, they're they are, they've they have, they'll they will, it'll it will,
    he'll he will, she'll she will, that'll that will
""")
"""Not here: 'd (had or would), 's (is, has or of)."""
UNWRITTEN = _pairs("whats what's, dont don't, doesnt doesn't, didnt didn't, isnt isn't, arent aren't, wasnt wasn't")
NEGATED = {
    **{
        f"{word}n't": f"{word} not"
        for word in _words("do does did is are was were has have had could should would must")
    },
    "won't": "will not",
    "can't": "cannot",
}
IS_NEXT = DETERMINERS | _words("in on at for not wrong it")
"""Before these an 's is an "is"; before a participle it may be a "has"."""
IS_SHORT = _pairs("""
    what's what, who's who, where's where, when's when, how's how, that's that, it's it, there's there
""")

_UNITS = _listed("one two three four five six seven eight nine ten eleven twelve")
_TEENS = _listed("thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _listed("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBERS = {word: str(value) for value, word in enumerate(["zero", *_UNITS, *_TEENS])}
NUMBERS |= {word: str(10 * tens) for tens, word in enumerate(_TENS, 2)}
NUMBERS |= {
    f"{word}-{unit}": str(10 * tens + value)
    for tens, word in enumerate(_TENS, 2)
    for value, unit in enumerate(_UNITS[:9], 1)
}
del NUMBERS["one"]
"""Not here: "one", which is mostly a pronoun."""
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS = _pairs("""
    1st first, 3rd third, 4th fourth, 5th fifth, 6th sixth, 7th seventh, 8th eighth, 9th ninth, 10th tenth
""")
"""Not here: 2nd, since a "second" is a unit as well."""

MONTHS = _listed("January February March April May June July August September October November December")
MONTH_OF = {name: number for number, name in enumerate(MONTHS, 1)}
MONTH_OF |= {name[:3]: number for number, name in enumerate(MONTHS, 1)} | {"Sept": 9}
GIVEN_NAMES = frozenset({1, 4, 5, 6, 8})
"""Months whose name or abbreviation may be somebody's, who is 5: Jan, April, May, June, August."""
WEEKDAYS = _listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

_NAMES = """
    France Germany Spain Italy Portugal Austria Switzerland Belgium Netherlands Luxembourg Ireland England Scotland
    Britain Norway Sweden Denmark Finland Iceland Estonia Latvia Lithuania Poland Ukraine Russia Hungary Romania
    Bulgaria Serbia Croatia Slovenia Slovakia Greece Cyprus Malta Albania Egypt Morocco Algeria Tunisia Libya Nigeria
    Niger Kenya Ethiopia Ghana Senegal Uganda Tanzania Zambia Zimbabwe Namibia Botswana Angola Mozambique Canada Mexico
    Brazil Argentina Colombia Venezuela Ecuador Bolivia Paraguay Uruguay Cuba Jamaica Haiti India Pakistan Bangladesh
    Nepal Bhutan Thailand Vietnam Cambodia Laos Malaysia Singapore Indonesia Philippines Japan Korea Mongolia Taiwan
    Australia Israel Lebanon Syria Iraq Iran Yemen Qatar Kuwait Afghanistan Europe Africa Asia America Antarctica
    Berlin Munich Vienna Zurich Amsterdam Brussels Rome Milan Venice Madrid Barcelona Lisbon Stockholm Copenhagen
    Helsinki Warsaw Prague Budapest Bucharest Athens Moscow Nairobi Toronto Montreal Chicago Boston
    Tokyo Osaka Kyoto Beijing Shanghai Seoul Bangkok Jakarta Mumbai Delhi Sydney Melbourne London Edinburgh
    English German French Spanish Italian Portuguese Dutch Swedish Norwegian Russian Japanese Chinese Korean Arabic
    Kubernetes JavaScript TypeScript PostgreSQL MySQL GitHub YouTube iPhone iPad Linux Debian GDPR NASA
"""
LOWER_NAMES = {name.lower(): name for name in [*_NAMES.split(), *WEEKDAYS, *MONTHS]}
LOWER_NAMES |= {f"{name.lower()}s": f"{name}s" for name in WEEKDAYS}
for _word in ("march", "may", "august"):
    del LOWER_NAMES[_word]
"""Names that are nothing else in small letters, as turkey, polish, march, ubuntu and cairo are."""

ACTIONS = _words("""
    access activate add adjust allow apply assign attach back block build calculate call cancel change check choose
    claim clean clear clone close compile compute configure connect contact convert copy create deactivate debug
    declare decrease define delete deploy detect disable disconnect download edit enable encrypt decrypt enter
    estimate export extend extract file filter find fix format generate handle hide implement import improve increase
    insert install integrate invite join launch limit link list load lock log make manage merge migrate
    monitor mount move open optimize order organize pay prepare prevent print protect publish query record
    recover reduce register reinstall remove rename renew repair replace report request reset resize resolve restart
    restore return revert revoke rotate run save scan schedule search secure select send set share shut sign sort
    specify split start stop store submit switch sync synchronize tag track transfer translate treat trigger
    turn undo uninstall unlock unsubscribe update upgrade upload use validate verify view withdraw write
""")
"""Verbs of what somebody does on purpose: with them "how do I", "how can I" and "how to" ask for the same steps."""

VERBS = _words("""
    activate add adjust allow apply assign attach calculate cancel choose compile compute configure connect convert
    create deactivate declare define delete deploy detect disable disconnect enable encrypt decrypt extend generate
    implement improve insert install integrate migrate optimize organize prepare prevent protect recover reduce
    reinstall remove rename renew replace resize resolve restore revoke rotate specify submit synchronize translate
    uninstall unlock unsubscribe validate verify withdraw
""")
"""Those of them that are never nouns."""

RELATIONS = _words("""
    capital population currency president founder CEO CFO CTO chairman anthem area GDP author headquarters height
    length depth director inventor composer mayor
""")
"""Of a name there is one, and it is the name's: with them "the X of Y" and "Y's X" are the same."""

HOW_MUCH = _words("old tall big large long far high deep wide heavy fast expensive much many often")
ENDINGS = _pairs("works work, means mean, costs cost, lasts last, opens open, closes close, starts start, ends end")
"""Last verbs of an indirect question, with what they are behind "does"."""
