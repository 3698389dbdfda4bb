"""The examples of the client's page are calls that the client takes, and none of its methods is missing."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import scic
from scic.client import ContextOptions

PAGE = Path(__file__).resolve().parents[3] / "docs" / "client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
CALLS = [
    node
    for example in EXAMPLES
    for node in ast.walk(compile(example, PAGE.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
]
METHODS = {name for name, _ in inspect.getmembers(scic.Client, inspect.isfunction) if not name.startswith("_")}


def called(call: ast.Call) -> tuple[str, str]:
    """`client`, `build_context`."""
    assert isinstance(call.func, ast.Attribute)
    return ast.unparse(call.func.value), call.func.attr


@pytest.mark.parametrize("call", CALLS, ids=lambda call: "_".join(called(call)))
def test_a_documented_call_can_be_made(call: ast.Call) -> None:
    owner, name = called(call)
    if owner == "asyncio":
        return
    function = getattr(scic if owner == "scic" else scic.Client, name)
    signature = inspect.signature(function)
    keywords = [keyword.arg or "" for keyword in call.keywords]
    unbound = () if owner == "scic" else (None,)
    signature.bind(*unbound, *call.args, **dict.fromkeys(keywords))
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
        assert set(keywords) <= {*ContextOptions.__annotations__, *signature.parameters}


def test_every_method_is_shown() -> None:
    shown = {name for owner, name in map(called, CALLS) if owner.endswith("client")}
    assert shown == METHODS - {"close"}
