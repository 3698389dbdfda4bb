import pytest

from scic.client.pseudonyms import restore
from scic.type.v1 import guard_pb2

PSEUDONYMS = [
    guard_pb2.Pseudonym(pseudonym="[EMAIL_1]", value="ann@x.org", type=guard_pb2.SENSITIVE_TYPE_EMAIL),
    guard_pb2.Pseudonym(pseudonym="[EMAIL_11]", value="bob@x.org", type=guard_pb2.SENSITIVE_TYPE_EMAIL),
    guard_pb2.Pseudonym(pseudonym="[NATIONAL_ID_1]", value="536-22-8731", type=guard_pb2.SENSITIVE_TYPE_NATIONAL_ID),
    guard_pb2.Pseudonym(pseudonym="[PERSON_1]", value=r"[EMAIL_1] \1", type=guard_pb2.SENSITIVE_TYPE_PERSON),
]


@pytest.mark.parametrize(
    ("answer", "restored"),
    [
        pytest.param("Write to [EMAIL_1].", "Write to ann@x.org.", id="one"),
        pytest.param("[EMAIL_1], [EMAIL_11], [EMAIL_1]", "ann@x.org, bob@x.org, ann@x.org", id="several"),
        pytest.param("[[EMAIL_1]](mailto:[EMAIL_1])", "[ann@x.org](mailto:ann@x.org)", id="in-markdown"),
        pytest.param("[NATIONAL_ID_1]", "536-22-8731", id="type-of-two-words"),
        pytest.param("[EMAIL_2] stays", "[EMAIL_2] stays", id="unknown"),
        pytest.param("EMAIL_1 [EMAIL_1 [email_1] [EMAIL 1]", "EMAIL_1 [EMAIL_1 [email_1] [EMAIL 1]", id="not-whole"),
        pytest.param("[PERSON_1]", r"[EMAIL_1] \1", id="values-are-not-looked-at-again"),
        pytest.param("", "", id="empty"),
    ],
)
def test_puts_values_back(answer, restored):
    assert restore(answer, PSEUDONYMS) == restored


def test_without_pseudonyms_nothing_changes():
    assert restore("Write to [EMAIL_1].", []) == "Write to [EMAIL_1]."
