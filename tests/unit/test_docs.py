"""Tables in the documents say what the code says."""

import importlib
import re
from pathlib import Path

import pytest

from scic.errors import render_table

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_error_table_is_the_catalogue():
    assert render_table() in (ROOT / "docs/errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("service", ["gateway", "selector", "compressor", "composer"])
def test_the_settings_table_is_that_of_the_code(service):
    settings = getattr(importlib.import_module(f"services.{service}.settings"), f"{service.title()}Settings")
    readme = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    assert settings.describe() in readme


DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "services/**/*.md", "envoy/*.md", "k8s/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (ROOT / document).parent.joinpath(target).exists(), f"{document} links to {target}, which is not there"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_of_services_that_are_named_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for named in re.findall(
        r"`(?:services/)?((?:gateway|selector|compressor|composer|chassis)/[a-z_/]+(?:\.py)?)`", text
    ):
        assert (ROOT / "services" / named).exists(), f"{document} names {named}, which is not there"


@pytest.mark.parametrize(
    "command", re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
)
def test_make_targets_are_phony(command):
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony
    assert command in phony.group(1).split()


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 95
    assert max(map(len, lines)) <= 120


def test_every_part_of_the_gateway_stands_in_its_table():
    gateway = ROOT / "services/gateway"
    table = re.search(r"^\| file \| what \|\n(?:\|.*\n)+", (gateway / "README.md").read_text("utf-8"), re.MULTILINE)
    assert table
    files = {name for row in table[0].splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    parts = {path.name for path in gateway.glob("*.py")} | {f"{path.parent.name}/" for path in gateway.glob("*/*.py")}
    assert files == parts - {"__init__.py"}
