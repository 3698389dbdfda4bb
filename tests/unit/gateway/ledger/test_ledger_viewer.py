"""Who may see a record: the key that made it, and who may see no less."""

import pytest

from services.gateway.callers.principal import Principal
from services.gateway.ledger.viewer import Viewer
from tests.unit.gateway.ledger.records import ADMIN, NOBODY, READER, SALES, SALES_TOO, SUPPORT


@pytest.mark.parametrize(
    ("sender", "reader", "sees"),
    [
        pytest.param(SALES, SALES, True, id="its own"),
        pytest.param(SALES, ADMIN, True, id="who sees all"),
        pytest.param(SALES, SALES_TOO, True, id="more groups"),
        pytest.param(SALES_TOO, SALES, False, id="fewer groups"),
        pytest.param(SALES, SUPPORT, False, id="other groups"),
        pytest.param(SALES, NOBODY, False, id="no groups"),
        pytest.param(NOBODY, SALES, True, id="of a key without groups"),
        pytest.param(ADMIN, SALES, False, id="of a key that sees all"),
        pytest.param(ADMIN, NOBODY, False, id="of a key that sees all, by one without groups"),
        pytest.param(
            Principal("key", "acme", READER, frozenset({"sales"})),
            Principal("key", "acme", READER),
            True,
            id="its own, when its groups have changed",
        ),
    ],
)
def test_who_sees_what(sender: Principal, reader: Principal, sees: bool) -> None:
    assert Viewer.of(sender).admits(reader) is sees
