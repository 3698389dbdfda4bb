"""The name of a recipe: a hash of what it says."""

import hashlib

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.guard.policy import GuardPolicy
from services.prompt.tool import read_parameters, to_json
from services.prompt.wire import read_tools

_DIGITS = 16
"""64 bits: by the birthday bound a tenant's thousands of versions collide with a probability below 1e-11."""

_CONVERSATION_SHARE = 0.5
"""What the API says a recipe has where it is silent."""


def normalised(profile: pb.Profile) -> pb.Profile:
    """The same recipe, said in one way only: defaults of the API are left out, and what has no order is in order.

    So a recipe that writes a default out and one that does not are one version. Defaults of the server, such as its
    model, are no part of a recipe: one that leaves them open follows the server. Raises ToolError for a recipe that was
    not checked.
    """
    result = pb.Profile()
    result.CopyFrom(profile)
    result.DiscardUnknownFields()
    # A block of YAML ends with a line end; in the system message it would be a blank line.
    result.instructions = result.instructions.rstrip("\n")
    if result.format == prompt_pb2.PROMPT_FORMAT_OPENAI:
        result.ClearField("format")
    if result.order == prompt_pb2.EVIDENCE_ORDER_BY_SCORE:
        result.ClearField("order")
    if result.conversation_share == _CONVERSATION_SHARE:
        result.ClearField("conversation_share")
    result.sources.sort(key=lambda source: source.name)
    for tool, parameters in zip(result.tools, read_parameters(read_tools(result.tools)), strict=True):
        # White space says nothing; the order of keys stands in the prompt.
        tool.parameters_json = to_json(parameters) if tool.parameters_json else ""
    _normalise_guard(result)
    return result


def version_of(profile: pb.Profile) -> str:
    """The version of a normalised recipe: the first 16 hexadecimal digits of the SHA-256 of its bytes."""
    return hashlib.sha256(profile.SerializeToString(deterministic=True)).hexdigest()[:_DIGITS]


def _normalise_guard(profile: pb.Profile) -> None:
    rules = [rule for rule in profile.guard.rules if GuardPolicy.of(guard_pb2.Guard(rules=[rule])) != GuardPolicy()]
    guard = guard_pb2.Guard(rules=sorted(rules, key=lambda rule: rule.type), restore=profile.guard.restore)
    profile.ClearField("guard")
    if guard.ByteSize():
        profile.guard.CopyFrom(guard)
