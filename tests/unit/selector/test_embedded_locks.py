"""Connections of several processes to one database: nobody's log is taken from under him."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from services.selector.embedded.database import connect, create

_OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE corpus SET version = version + 1")
print(connection.execute("SELECT version FROM corpus").fetchone()[0])
connection.close()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "acme.db"
    create("acme", path)
    return path


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT version FROM corpus").fetchone()[0])


def in_another_process(path) -> int:
    """Opens, writes and closes there; the version that it left."""
    program = [sys.executable, "-c", _OTHER, str(path)]
    return int(subprocess.run(program, check=True, capture_output=True, text=True).stdout)


def test_a_process_that_opens_twice_goes_on_seeing_and_being_seen(path):
    with closing(connect("acme", path, 1.0)) as first:
        assert version(first) == 0
        with closing(connect("acme", path, 1.0)) as second:
            assert version(second) == 0
            # The other one closes as if it were the last, unless it sees that we are there.
            assert in_another_process(path) == 1
            assert (version(first), version(second)) == (1, 1)
            first.execute("UPDATE corpus SET version = version + 1")
            assert version(second) == 2
            assert in_another_process(path) == 3
            assert (version(first), version(second)) == (3, 3)
    assert in_another_process(path) == 4
