"""A document of every kind, each with facts that nothing else has."""

import json

from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import message_pb2

MARKDOWN = """# Herons of the delta

Notes from three summers in the Vistula delta, kept by the ringing station at Mikoszewo.

## Food

The grey heron eats 300 grams of fish a day. It hunts alone, standing still in water that is not deeper than its legs
are long. In cold springs it turns to voles, which it swallows whole; a pair that we watched in 2019 took 14 voles in
one afternoon. Eels are taken only up to 40 cm — longer ones are let go again.

## Nests

Herons nest in alder trees, 20 to 30 metres above the ground. The colony at Kąty Rybackie counts 650 nests and is the
largest of the country. Nests are used for many years, and they grow with each of them.

## Ringing

| year | birds ringed |
|------|--------------|
| 2018 | 212          |
| 2019 | 187          |

Young birds are ringed in the fifth week. The ring is not put on a bird that weighs less than 900 grams.
"""

TEXT = """The lighthouse of Rozewie

The lighthouse stands on a cliff 54 metres high. Its first lamp was lit on 15 November 1822 and burned rapeseed oil.
In 1866 paraffin replaced the oil, and in 1910 the tower was raised by five metres of steel.

Its light is seen 26 nautical miles away. One flash comes every three seconds. The keeper climbs 112 steps.
"""

HTML = """<!doctype html><html><head><title>Amber works &amp; trade</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a></nav><main><h1>Amber works</h1>
<p>The amber mill at <b>Jantar</b> sorts 80&nbsp;kilograms of raw amber an hour.</p>
<p>Pieces above 200 grams are sold by auction in Gda&#324;sk every October.</p>
</main><footer>Imprint</footer></body></html>
"""

PYTHON = '''"""Tide tables for the harbour of Hel."""

STATION_DEPTH_METRES = 11.4


def gauge_offset(pressure_hpa: float) -> float:
    """The gauge's correction for air pressure: one centimetre a hectopascal below 1013.25."""
    return (1013.25 - pressure_hpa) * 0.01


class TideClock:
    """Predicts high water from the lunar phase."""

    def __init__(self, lag_minutes: int = 47) -> None:
        self.lag_minutes = lag_minutes

    def next_high_water(self, moonrise: float) -> float:
        """Hours after midnight of the next high water."""
        return (moonrise + self.lag_minutes / 60) % 12.42
'''

CONVERSATION = "\n".join(
    json.dumps(turn)
    for turn in (
        {"speaker": "Ola", "time": "2025-05-02T09:00:00Z", "text": "Which ferry do we take to Bornholm?"},
        {"speaker": "Piotr", "time": "2025-05-02T09:01:00Z", "text": "The Jantar line from Kołobrzeg, at 07:15."},
        {"speaker": "Ola", "text": "And the bicycles? They cost 9 euros each last year."},
        {"speaker": "Piotr", "text": "Bicycles are free since March, if they are booked two days ahead."},
    )
)

TEXTS = {
    "notes/herons.md": MARKDOWN,
    "notes/lighthouse.txt": TEXT,
    "web/amber.html": HTML,
    "src/tides.py": PYTHON,
    "chat/ferry.jsonl": CONVERSATION,
}
VERBATIM = {"notes/herons.md", "notes/lighthouse.txt", "src/tides.py"}
"""Documents whose passages are stretches of them."""

_TYPES = {
    "md": "text/markdown",
    "txt": "text/plain",
    "html": "text/html",
    "py": "text/x-python",
    "jsonl": "application/x-ndjson",
}


def document(
    document_id: str, text: str | bytes, *, content_type: str | None = None, **metadata: str
) -> pb.DocumentInput:
    return pb.DocumentInput(
        document_id=document_id,
        content=text if isinstance(text, bytes) else text.encode(),
        content_type=_TYPES[document_id.rpartition(".")[2]] if content_type is None else content_type,
        metadata=metadata,
    )


DOCUMENTS = [
    document("notes/herons.md", MARKDOWN, team="birds", year="2019"),
    document("notes/lighthouse.txt", TEXT, team="coast", year="2019"),
    document("web/amber.html", HTML, team="coast", year="2024"),
    document("src/tides.py", PYTHON, team="coast", year="2025"),
    document("chat/ferry.jsonl", CONVERSATION, team="trips", year="2025"),
]


def evidence_text(built: context.BuildContextResponse) -> str:
    """All evidence messages of a prompt, in their order."""
    return "\n".join(m.content for m in built.messages if m.section == message_pb2.SECTION_EVIDENCE)
