"""How a request names a profile."""

import pytest

from services.gateway.profiles.reference import Reference, parse_reference

VERSION = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("support", Reference("support", label="live")),
        ("support@canary", Reference("support", label="canary")),
        ("support@live~1", Reference("support", label="live", back=1)),
        (f"support@{VERSION}", Reference("support", version=VERSION)),
        pytest.param(
            "support@abcdefabcdefabcd", Reference("support", version="abcdefabcdefabcd"), id="letters, yet a version"
        ),
        ("support@abc", Reference("support", label="abc")),
    ],
)
def test_what_a_reference_means(text, meaning):
    assert parse_reference(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        *("", "@live", "support@", "Support", "../acme", "support/../x", "support@a/b", "a b", "support\n"),
        *(f"support@{VERSION}~1", "support@live~0", "support@live~100", "s" * 65, "support@" + "l" * 33),
    ],
)
def test_what_has_another_form_names_nothing(text):
    assert parse_reference(text) is None
