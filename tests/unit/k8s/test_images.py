"""What goes into each image is there, and is all that the service needs."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.unit.k8s.files import ROOT, SERVICES, image

OURS = ("buf", "scic", "services")
ENCODER_SERVICES = ("selector", "compressor")


def _locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def _lock(service: str) -> dict[str, str]:
    return _locked(ROOT / "requirements" / f"{service}.lock")


def _from_context(service: str) -> set[Path]:
    return {path for path in image(service).copied if not path.is_absolute()}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _imported(file: Path) -> set[str]:
    """Every module that a file names in an import; `from a import b` names both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(file.relative_to(ROOT).with_suffix("").parts[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (package, node.module)))
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@cache
def _reachable(service: str) -> tuple[frozenset[Path], frozenset[str]]:
    """Our files (relative) and the other packages that `python -m services.<service>` may import."""
    files: set[Path] = set()
    others: set[str] = set()
    todo = [f"services.{service}.__main__"]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        top = module.partition(".")[0]
        if top not in OURS:
            others.add(top)
            continue
        todo += [module.rpartition(".")[0]] if "." in module else []
        if (file := _source(module)) is not None:
            files.add(file.relative_to(ROOT))
            todo += _imported(file)
    return frozenset(files), frozenset(others - sys.stdlib_module_names)


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_copied_exists(service: str) -> None:
    copied = _from_context(service)
    assert {Path(f"requirements/{service}.lock"), Path(f"services/{service}")} <= copied
    assert [path for path in copied if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_what_its_image_lacks(service: str) -> None:
    files, _ = _reachable(service)
    copied = _from_context(service)
    assert Path(f"services/{service}/app.py") in files, "the walk goes beyond the entry point"
    assert [str(file) for file in sorted(files) if not any(file.is_relative_to(path) for path in copied)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_package_it_imports_is_in_its_lock(service: str) -> None:
    _, packages = _reachable(service)
    distributions = importlib.metadata.packages_distributions()
    locked = set(_lock(service))
    assert "grpc" in packages
    missing = {
        package: distributions.get(package, [])
        for package in packages
        if not {_normal(name) for name in distributions.get(package, [])} & locked
    }
    assert missing == {}


@pytest.mark.parametrize("service", SERVICES)
def test_images_run_the_versions_that_are_tested(service: str) -> None:
    tested = _locked(ROOT / "requirements.lock")
    differing = {name: version for name, version in _lock(service).items() if tested.get(name) != version}
    assert differing == {}, "run `make lock`"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_its_service_without_a_shell_as_a_numeric_user(service: str) -> None:
    final = image(service)
    assert final.entrypoint == f'["python", "-m", "services.{service}"]'
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final.user), "Kubernetes cannot know that a named user is not root"


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_services_with_an_encoder_carry_its_model(service: str) -> None:
    runs_encoder = Path("services/text/encoder.py") in _reachable(service)[0]
    assert runs_encoder == (service in ENCODER_SERVICES)
    assert (f"SCIC_{service.upper()}_MODEL_DIR" in image(service).environment) == runs_encoder
    assert (Path("/model") in image(service).copied) == runs_encoder


def test_the_build_context_is_only_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    wanted = {path.parts[0] for service in SERVICES for path in _from_context(service)}
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == wanted
