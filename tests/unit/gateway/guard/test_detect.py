from concurrent.futures import ThreadPoolExecutor

import pytest

from services.gateway.guard.detect import AllDetectors, DetectorError
from services.gateway.guard.hit import Hit, settle
from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.scan import read_scan, scan_passage
from services.gateway.guard.sensitive import Sensitive

SECRET, EMAIL, PHONE, IBAN = SensitiveType.SECRET, SensitiveType.EMAIL, SensitiveType.PHONE, SensitiveType.IBAN
CARD = SensitiveType.PAYMENT_CARD


class Broken:
    name = "broken"

    def find(self, text):
        raise ValueError(f"cannot parse {text}")


class Fixed:
    name = "fixed"

    def __init__(self, *hits):
        self._hits = hits

    def find(self, text):
        return self._hits


@pytest.mark.parametrize(
    ("hits", "settled"),
    [
        pytest.param([], [], id="none"),
        pytest.param([Hit(5, 9, EMAIL), Hit(0, 4, PHONE)], [Hit(0, 4, PHONE), Hit(5, 9, EMAIL)], id="apart"),
        pytest.param([Hit(0, 9, IBAN), Hit(2, 6, PHONE)], [Hit(0, 9, IBAN)], id="inside-another"),
        pytest.param([Hit(0, 9, PHONE), Hit(0, 9, IBAN)], [Hit(0, 9, IBAN)], id="the-more-certain-type"),
        pytest.param([Hit(0, 9, EMAIL), Hit(0, 3, SECRET)], [Hit(0, 3, SECRET), Hit(0, 9, EMAIL)], id="secret-inside"),
        pytest.param([Hit(0, 9, SECRET), Hit(2, 6, SECRET)], [Hit(0, 9, SECRET)], id="secret-inside-a-secret"),
        pytest.param([Hit(0, 6, PHONE), Hit(4, 9, SECRET)], [Hit(0, 9, SECRET)], id="overlap-becomes-one"),
        pytest.param([Hit(0, 4, PHONE), Hit(4, 9, PHONE)], [Hit(0, 4, PHONE), Hit(4, 9, PHONE)], id="side-by-side"),
    ],
)
def test_settles_claims_on_the_same_characters(hits, settled):
    assert settle(hits) == settled


def test_values_are_distinct_and_longest_first():
    text = "ann@x.org bo@x.org ann@x.org"
    detectors = AllDetectors([Fixed(Hit(10, 18, EMAIL), Hit(0, 9, EMAIL)), Fixed(Hit(19, 28, EMAIL))])
    assert detectors.find(text) == [Sensitive(EMAIL, "ann@x.org"), Sensitive(EMAIL, "bo@x.org")]


def test_a_failing_detector_fails_the_search_and_quotes_nothing():
    with pytest.raises(DetectorError) as caught:
        AllDetectors([Fixed(), Broken()]).find("ann@x.org")
    assert (caught.value.detector, caught.value.cause) == ("broken", "ValueError")
    assert "ann" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_text_that_cannot_be_read_is_an_error_and_not_harmless(detectors):
    with pytest.raises(DetectorError):
        detectors.find("\ud800 ann@x.org")


def test_threads_share_the_detectors(detectors):
    texts = [f"ann{index}@x.org, +44 20 7946 0{index}58, token=Tr4vel-ax9{index}" for index in range(10)] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detectors.find, texts)) == [detectors.find(text) for text in texts]


def test_a_scan_comes_back_as_it_was_written(detectors):
    data = scan_passage(detectors, ["Staff", "Über ann@x.org"], "Ring +44 20 7946 0958.", {"author": "bo@x.org"})
    values = {(value.type, value.text) for value in read_scan(data) or ()}
    assert values == {(EMAIL, "ann@x.org"), (EMAIL, "bo@x.org"), (PHONE, "+44 20 7946 0958")}


def test_a_scan_reads_the_keys_of_metadata_too(detectors):
    data = scan_passage(detectors, [], "text", {"phone": "030 901820"})
    assert {value.text for value in read_scan(data) or ()} == {"030 901820"}


def test_a_scan_that_found_nothing_says_so(detectors):
    data = scan_passage(detectors, ["Title"], "Nothing to see.", {})
    assert data
    assert read_scan(data) == ()


@pytest.mark.parametrize("data", [b"", b"1[]", b"\x00\x01", b"3 oops"], ids=["empty", "older", "foreign", "broken"])
def test_what_another_version_wrote_is_no_scan(data):
    assert read_scan(data) is None


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        pytest.param("Card {}", "4111\u00a01111\u00a01111\u00a01111", CARD, id="blanks of HTML"),
        pytest.param("Card {}", "4111\u20111111\u20111111\u20111111", CARD, id="hyphens of Word"),
        pytest.param("password:\u00a0{}", "Zx9kQ7pLm2", SECRET, id="a blank of HTML before a secret"),
    ],
)
def test_blanks_and_hyphens_of_print_hide_nothing(detectors, text, value, kind):
    assert (kind, value) in {(found.type, found.text) for found in detectors.find(text.format(value))}
