"""The rules of a proto become INVALID_FIELD with field paths in the proto's own naming."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from scic.errors import ScicError
from services.chassis import Method, check
from services.chassis.interceptors.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PROTO = """
syntax = "proto3";
package kitchen.v1;
import "buf/validate/validate.proto";

message Ingredient {
  string name = 1 [(buf.validate.field).string.min_len = 1];
  int32 limit = 2 [(buf.validate.field).int32 = {gte: 1, lte: 100}];
}
message CookRequest {
  option (buf.validate.message).cel = {
    id: "cook.one_of"
    message: "give a dish or ingredients"
    expression: "this.dish != '' || size(this.ingredients) > 0"
  };
  string dish = 1 [(buf.validate.field).string.max_len = 20];
  repeated Ingredient ingredients = 2;
  map<string, Ingredient> extras = 3;
  map<int64, Ingredient> numbered = 4;
}
"""


@pytest.fixture(scope="module")
def cook_request(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("protos")
    (folder / "kitchen.proto").write_text(PROTO)
    protos = Path(__file__).parents[3] / "protos"
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = ["", f"-I{folder}", f"-I{protos}", f"-I{well_known}", "--include_imports"]
    assert protoc.main([*arguments, f"--descriptor_set_out={folder}/set", "kitchen.proto"]) == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((folder / "set").read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("kitchen.v1.CookRequest"))


def broken(message: Any) -> ScicError:
    with pytest.raises(ScicError) as raised:
        check(message)
    assert raised.value.reason == "INVALID_FIELD"
    return raised.value


def test_a_good_message_passes(cook_request: Any) -> None:
    check(cook_request(dish="soup"))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"dish": "x" * 21}, "dish"),
        ({"ingredients": [{"name": "a", "limit": 1}, {"name": "a", "limit": 0}]}, "ingredients[1].limit"),
        ({"dish": "x", "extras": {"salt": {"name": "", "limit": 1}}}, 'extras["salt"].name'),
        ({"dish": "x", "numbered": {7: {"name": "a", "limit": 101}}}, "numbered[7].limit"),
        ({}, ""),
    ],
    ids=["field", "in a list", "in a map", "in a map by number", "whole message"],
)
def test_names_the_field(cook_request: Any, fields: dict[str, Any], path: str) -> None:
    (violation,) = broken(cook_request(**fields)).field_violations
    assert violation.field == path
    assert violation.description


def test_names_every_field_and_the_first_three_in_the_sentence(cook_request: Any) -> None:
    error = broken(cook_request(ingredients=[{}, {}, {}]))
    assert len(error.field_violations) == 6
    assert error.message.startswith("ingredients[0].name: ")
    assert error.message.endswith("; and 3 more")


@pytest.mark.parametrize(("mistakes", "named"), [(500, 32), (100_000, 1)], ids=["small message", "large message"])
def test_a_message_full_of_mistakes_gets_a_short_answer(cook_request: Any, mistakes: int, named: int) -> None:
    """Looking for all of them in the large one would hold the event loop for seconds."""
    assert len(broken(cook_request(ingredients=[{}] * mistakes)).field_violations) == named


class TestWhatKeptTheRules:
    """Messages that kept the rules are remembered; only they, and only to the byte."""

    @pytest.fixture
    def validated(self) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        async def echo(request: Any, _: Any) -> Any:
            return request

        call: Any = Validation().wrap(Method("/kitchen.v1.Kitchen/Cook", False, False), echo)
        return lambda request: call(request, None)

    async def test_they_pass_again(self, cook_request: Any, validated: Any) -> None:
        for _ in range(3):
            assert (await validated(cook_request(dish="soup"))).dish == "soup"

    async def test_a_broken_one_is_refused_each_time(self, cook_request: Any, validated: Any) -> None:
        for _ in range(3):
            with pytest.raises(ScicError):
                await validated(cook_request(dish="x" * 21))

    @pytest.mark.parametrize(
        "good", [{"dish": "soup"}, {"dish": "soup", "ingredients": [{"name": "salt" * 1100, "limit": 1}]}]
    )
    async def test_one_that_differs_from_a_good_one_is_checked(
        self, cook_request: Any, validated: Any, good: dict[str, Any]
    ) -> None:
        await validated(cook_request(**good))
        other = cook_request(**good)
        other.ingredients.add(name="pepper", limit=0)
        with pytest.raises(ScicError):
            await validated(other)

    async def test_more_than_are_remembered_pass(self, cook_request: Any, validated: Any) -> None:
        for number in range(5000):
            await validated(cook_request(dish=f"soup {number}"))
        with pytest.raises(ScicError):
            await validated(cook_request(dish=f"soup {5000:20}"))
