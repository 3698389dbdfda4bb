import pytest
import structlog

from scic.client.pseudonyms import restore
from scic.errors import ScicError
from scic.type.v1 import guard_pb2, passage_pb2, span_pb2
from services.gateway.guard.detect import DetectorError
from services.gateway.guard.guard import Guard
from services.gateway.guard.policy import Action, GuardPolicy, SensitiveType
from services.gateway.guard.scan import scan_passage
from services.gateway.guard.sensitive import Sensitive

MASK_ALL = GuardPolicy(dict.fromkeys(SensitiveType, Action.MASK))


class WordDetectors:
    """Fails a test that looks for anything."""

    def find(self, text):
        raise AssertionError(text)


class Finds:
    """Finds always the same."""

    def __init__(self, *values):
        self._values = list(values)

    def find(self, text):
        return self._values


class BrokenDetectors:
    def find(self, text):
        raise DetectorError("email", "ValueError")


def policy(restore=False, **actions):
    allowed = dict.fromkeys(SensitiveType, Action.ALLOW)
    return GuardPolicy(allowed | {SensitiveType[name.upper()]: action for name, action in actions.items()}, restore)


def passage(text, **fields):
    return passage_pb2.Passage(passage_id="d#0", document_id="d", text=text, **fields)


def spans(*pairs):
    return [span_pb2.Span(start=start, end=end) for start, end in pairs]


@pytest.fixture
def guard(detectors):
    return Guard(detectors)


def test_a_value_keeps_its_pseudonym_however_it_is_written(guard):
    screen = guard.screen(MASK_ALL)
    assert screen.read("question", "Ann@x.org or ann@X.org?") == "[EMAIL_1] or [EMAIL_1]?"
    assert screen.read("conversation[0].text", "bo@x.org, ann@x.org") == "[EMAIL_2], [EMAIL_1]"
    assert screen.read("question", "4111 1111 1111 1111, 4111-1111-1111-1111") == "[PAYMENT_CARD_1], [PAYMENT_CARD_1]"


def test_what_a_passage_taught_is_masked_everywhere(guard):
    screen = guard.screen(MASK_ALL)
    assert screen.admit(passage("Giulia Rossi left.", title_path=["Mail of bo@x.org"], metadata={"by": "ann@x.org"}))
    assert (
        screen.mask("bo@x.org wrote to ann@x.org about Giulia Rossi") == "[EMAIL_1] wrote to [EMAIL_2] about [PERSON_1]"
    )


def test_a_type_that_stays_is_neither_masked_nor_counted(guard):
    screen = guard.screen(policy(email=Action.MASK))
    assert screen.read("question", "ann@x.org, +44 20 7946 0958") == "[EMAIL_1], +44 20 7946 0958"
    assert [count.type for count in screen.counts()] == [guard_pb2.SENSITIVE_TYPE_EMAIL]


def test_a_policy_that_does_nothing_looks_for_nothing():
    screen = Guard(WordDetectors()).screen(policy())
    text = "ann@x.org"
    assert screen.read("question", text) is text
    assert screen.admit(passage(text))
    assert screen.mask(text) is text
    assert screen.mask_kept(passage(text), spans((0, 9)), text) is text
    assert not screen.counts()


def test_a_scanned_passage_is_not_looked_at_again(detectors):
    screen = Guard(WordDetectors()).screen(MASK_ALL)
    for text in ("ann@x.org", "Nothing to see."):
        assert screen.admit(passage(text, sensitive=scan_passage(detectors, [], text, {})))
    assert screen.mask("ann@x.org") == "[EMAIL_1]"


def test_a_passage_that_nobody_scanned_is_looked_at(guard):
    screen = guard.screen(policy(email=Action.DROP))
    assert not screen.admit(passage("ann@x.org"))
    assert not screen.admit(passage("ann@x.org", sensitive=b"0[]"))


@pytest.mark.parametrize(
    ("action", "admitted"),
    [(Action.ALLOW, True), (Action.MASK, True), (Action.DROP, False), (Action.REFUSE, False)],
    ids=lambda value: getattr(value, "value", None),
)
def test_admits_by_action(guard, action, admitted):
    screen = guard.screen(policy(email=action, phone=Action.MASK))
    assert screen.admit(passage("ann@x.org")) is admitted
    assert screen.admit(passage("Nothing to see."))


def test_a_dropped_type_is_masked_in_the_question(guard):
    screen = guard.screen(policy(email=Action.DROP))
    assert screen.read("question", "Who is ann@x.org?") == "Who is [EMAIL_1]?"


def test_a_refused_type_in_a_request_is_an_error_that_names_the_field(guard):
    screen = guard.screen(policy(email=Action.REFUSE, phone=Action.REFUSE, person=Action.MASK))
    with pytest.raises(ScicError) as caught:
        screen.read("conversation[2].text", "I am Giulia Rossi, ann@x.org, +44 20 7946 0958")
    error = caught.value
    assert (error.reason, error.metadata["types"]) == ("SENSITIVE_CONTENT", "EMAIL, PHONE")
    assert [violation.field for violation in error.field_violations] == ["conversation[2].text"]
    assert "ann" not in error.message


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda screen: screen.read("question", "ann@x.org"), id="question"),
        pytest.param(lambda screen: screen.admit(passage("ann@x.org")), id="passage"),
    ],
)
def test_a_failing_detector_lets_nothing_through_and_logs_no_text(work):
    with structlog.testing.capture_logs() as lines, pytest.raises(ScicError) as caught:
        work(Guard(BrokenDetectors()).screen(MASK_ALL))
    assert caught.value.reason == "GUARD_FAILED"
    assert [(line["detector"], line["error"]) for line in lines] == [("email", "ValueError")]
    assert "ann" not in str(lines)


def test_names_are_not_masked_inside_of_words(guard):
    screen = guard.screen(MASK_ALL)
    assert screen.admit(passage("Dear Mr Stone,\nyours"))
    text = "Stone threw a stone; Stones, MileStone, Stoneß, Stone's"
    assert screen.mask(text) == "[PERSON_1] threw a stone; Stones, MileStone, Stoneß, [PERSON_1]'s"


def test_hidden_characters_hide_nothing(guard):
    screen = guard.screen(MASK_ALL)
    assert (
        screen.read("question", "Mail a\u200bnn@x.org\u00ad or ann@\u2060x.org") == "Mail [EMAIL_1]\u00ad or [EMAIL_1]"
    )


def test_look_alikes_are_read_as_what_they_look_like(guard):
    screen = guard.screen(policy(restore=True, phone=Action.MASK))
    text = "Ring +\uff14\uff14 20 7946 0958"
    assert screen.read("question", text) == "Ring [PHONE_1]"
    assert restore("Ring [PHONE_1]", screen.pseudonyms()) == text


def test_numbers_are_not_masked_inside_of_numbers(guard):
    screen = guard.screen(MASK_ALL)
    assert screen.read("question", "from 10.0.0.1") == "from [IP_ADDRESS_1]"
    assert screen.mask("10.0.0.1:80 110.0.0.1 10.0.0.11") == "[IP_ADDRESS_1]:80 110.0.0.1 10.0.0.11"


def test_secrets_are_masked_inside_of_words(guard):
    screen = guard.screen(policy(secret=Action.MASK))
    assert screen.read("question", "password=Tr4vel-ax9") == "password=[SECRET_1]"
    assert screen.mask("xTr4vel-ax99") == "x[SECRET_1]9"


def test_the_longest_of_overlapping_values_is_masked_and_no_number_is_lost(guard):
    screen = guard.screen(MASK_ALL)
    text = "Michael Chen left. Then Giulia Rossi left. Chen was late."
    assert screen.read("question", text) == "[PERSON_1] left. Then [PERSON_2] left. [PERSON_3] was late."


def test_a_value_that_touches_another_is_masked_too(guard):
    screen = guard.screen(MASK_ALL)
    assert screen.read("question", "+44 20 7946 0958, Giulia Rossi") == "[PHONE_1], [PERSON_1]"
    assert screen.read("question", "+44 20 7946 0958Giulia Rossi") == "[PHONE_1][PERSON_1]"


def test_counts_different_values_with_what_is_done(guard):
    screen = guard.screen(policy(email=Action.MASK, phone=Action.DROP))
    screen.read("question", "ann@x.org ANN@x.org bo@x.org")
    screen.admit(passage("+44 20 7946 0958"))
    counts = {count.type: (count.action, count.count) for count in screen.counts()}
    assert counts == {
        guard_pb2.SENSITIVE_TYPE_EMAIL: (guard_pb2.GUARD_ACTION_MASK, 2),
        guard_pb2.SENSITIVE_TYPE_PHONE: (guard_pb2.GUARD_ACTION_DROP, 1),
    }


def test_pseudonyms_are_given_back_only_where_the_policy_says_so(guard):
    silent, open_ = guard.screen(policy(email=Action.MASK)), guard.screen(policy(restore=True, email=Action.MASK))
    for screen in (silent, open_):
        screen.read("question", "Mail ann@x.org")
    assert not silent.pseudonyms()
    assert restore("Mail [EMAIL_1]", open_.pseudonyms()) == "Mail ann@x.org"


def test_a_number_that_a_text_holds_already_is_not_given_out(guard):
    screen = guard.screen(policy(restore=True, email=Action.MASK))
    text = "[EMAIL_1] is not ann@x.org"
    masked = screen.read("question", text)
    assert masked == "[EMAIL_1] is not [EMAIL_2]"
    assert restore(masked, screen.pseudonyms()) == text


def test_a_pseudonym_that_a_later_text_holds_is_not_given_back(guard):
    screen = guard.screen(policy(restore=True, email=Action.MASK))
    assert screen.read("question", "ann@x.org") == "[EMAIL_1]"
    screen.admit(passage("[EMAIL_1] of another mail"))
    assert not screen.pseudonyms()


def test_a_pseudonym_is_not_masked_itself():
    values = [Sensitive(SensitiveType.EMAIL, "ann@x.org"), Sensitive(SensitiveType.SECRET, "EMAIL_1")]
    screen = Guard(Finds(*values)).screen(MASK_ALL)
    assert screen.read("question", "ann@x.org EMAIL_1") == "[EMAIL_1] [SECRET_1]"
    assert screen.mask("[EMAIL_1] xEMAIL_1") == "[EMAIL_1] x[SECRET_1]"


def test_a_cut_is_masked_where_its_span_stands_and_not_where_its_like_does(guard):
    screen = guard.screen(MASK_ALL)
    cut = passage("Dial +44 20. Dial +44 20 7946 0958")
    assert screen.admit(cut)
    masked = screen.mask_kept(cut, spans((0, 11), (13, 24)), "Dial +44 20 … Dial +44 20")
    assert masked == "Dial +44 20 … Dial [PHONE_1]"


CUT = "Call +44 20 7946 0958 or write to Giulia Rossi in Rome."


@pytest.mark.parametrize(
    ("kept", "text", "masked"),
    [
        pytest.param([(0, 55)], CUT, "Call [PHONE_1] or write to [PERSON_1] in Rome.", id="whole"),
        pytest.param([(0, 12)], CUT[:12], "Call [PHONE_1]", id="end"),
        pytest.param([(13, 40)], CUT[13:40], "[PHONE_1] or write to [PERSON_1]", id="both-ends"),
        pytest.param([(0, 12), (41, 55)], f"{CUT[:12]} … {CUT[41:]}", "Call [PHONE_1] … [PERSON_1] in Rome.", id="gap"),
        pytest.param(
            [(0, 10), (17, 24)], f"{CUT[:10]} … {CUT[17:24]}", "Call [PHONE_1] … [PHONE_1] or", id="both-parts"
        ),
        pytest.param([(0, 7)], CUT[:7], "Call +4", id="too-short-to-tell-anything"),
        pytest.param([(0, 12)], "A summary: +44 20 and no more", "A summary: [PHONE_1] and no more", id="summary"),
    ],
)
def test_what_a_border_cuts_is_masked_too(guard, kept, text, masked):
    screen = guard.screen(MASK_ALL)
    cut = passage(CUT)
    assert screen.admit(cut)
    assert screen.mask_kept(cut, spans(*kept), text) == masked
