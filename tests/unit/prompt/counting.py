"""Counts the body of a provider's request as OpenAI's published rules say, knowing nothing of how it was made."""

import json
from typing import Any

from services.text.tokens import Encoding


def count_body(body: str, encoding: Encoding) -> int:
    """Tokens of the prompt that the body asks for, the start of the reply included."""

    def count(text: str) -> int:
        return len(encoding.tiktoken.encode(text, disallowed_special=()))

    fields = json.loads(body)
    tools = fields.get("tools", [])
    if "system" not in fields:
        messages = sum(3 + 1 + count(message["content"]) for message in fields["messages"])
        return 3 + messages + (12 if tools else 0) + sum(_function(tool["function"], encoding, count) for tool in tools)
    blocks = fields["system"] + [block for message in fields["messages"] for block in message["content"]]
    described = sum(count(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in tools)
    return 3 + sum(3 + 1 + count(block["text"]) for block in blocks) + described


def _function(function: dict[str, Any], encoding: Encoding, count: Any) -> int:
    """The rule of the cookbook for flat parameters, which is all that the random tools have."""
    total: int = {"cl100k_base": 10, "o200k_base": 7}[encoding.name]
    description = function["description"]
    total += count(function["name"] + ":" + (description.removesuffix(".")))
    properties = function["parameters"].get("properties", {})
    total += 3 if properties else 0
    for name, value in properties.items():
        total += 3
        if "enum" in value:
            total += -3 + sum(3 + count(item) for item in value["enum"])
        text = value["description"]
        total += count(f"{name}:{value['type']}:{text.removesuffix('.')}")
    return total
