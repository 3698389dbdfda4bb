"""How good a context is and what was kept out of it, on a terminal."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from rich.console import Console

from scic.cli.counted import counted
from scic.cli.printable import escape
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import guard_pb2, prompt_pb2

FIGURES = ("completeness", "relevance", "redundancy", "coherence", "size_efficiency")
"""The figures of a context, in the order they are shown."""


def show_quality(console: Console, quality: quality_pb2.Quality) -> None:
    """The figures, and what would help."""
    figures = ", ".join(f"{name.replace('_', ' ')} {getattr(quality, name):.2f}" for name in FIGURES)
    console.print(f"[bold]quality[/bold] {figures}", highlight=False)
    for recommendation in quality.recommendations:
        console.print(f"[yellow]hint[/yellow] {escape(recommendation.detail)}", highlight=False, soft_wrap=True)


_IMITATIONS: Final = MappingProxyType(
    {
        prompt_pb2.IMITATION_TYPE_FENCE: ("fence", "fences"),
        prompt_pb2.IMITATION_TYPE_SPECIAL_TOKEN: ("special token", "special tokens"),
        prompt_pb2.IMITATION_TYPE_ROLE_MARKER: ("role marker", "role markers"),
        prompt_pb2.IMITATION_TYPE_HIDDEN: ("hidden character", "hidden characters"),
    }
)
_SENSITIVE: Final = MappingProxyType(
    {
        guard_pb2.SENSITIVE_TYPE_SECRET: ("secret", "secrets"),
        guard_pb2.SENSITIVE_TYPE_EMAIL: ("email", "emails"),
        guard_pb2.SENSITIVE_TYPE_PHONE: ("phone", "phones"),
        guard_pb2.SENSITIVE_TYPE_PERSON: ("person", "persons"),
        guard_pb2.SENSITIVE_TYPE_PAYMENT_CARD: ("payment card", "payment cards"),
        guard_pb2.SENSITIVE_TYPE_IBAN: ("IBAN", "IBANs"),
        guard_pb2.SENSITIVE_TYPE_NATIONAL_ID: ("national ID", "national IDs"),
        guard_pb2.SENSITIVE_TYPE_IP_ADDRESS: ("IP address", "IP addresses"),
    }
)
_DONE: Final = MappingProxyType(
    {
        guard_pb2.GUARD_ACTION_ALLOW: "allowed",
        guard_pb2.GUARD_ACTION_MASK: "masked",
        guard_pb2.GUARD_ACTION_DROP: "dropped",
        guard_pb2.GUARD_ACTION_REFUSE: "refused",
    }
)
_OUT: Final = (guard_pb2.GUARD_ACTION_DROP, guard_pb2.GUARD_ACTION_REFUSE)


def show_isolation(console: Console, isolation: pb.Isolation) -> None:
    """What was defused and what the guard met; nothing where there was nothing."""
    parts = [f"{counted(item.count, *_IMITATIONS[item.type])} defused" for item in isolation.defused]
    parts += [f"{counted(item.count, *_SENSITIVE[item.type])} {_DONE[item.action]}" for item in isolation.sensitive]
    if parts:
        console.print(f"[bold]isolation[/bold] {', '.join(parts)}", highlight=False)


def show_guarded(console: Console, reply: pb.BuildContextResponse | pb.PlanContextResponse) -> None:
    """How many passages the guard kept out; nothing where there were none."""
    count = sum(item.reason == pb.DroppedPassage.REASON_GUARD for item in reply.dropped)
    if count:
        types = ", ".join(guarded_types(reply.isolation))
        were = f"{counted(count, 'passage')} {'was' if count == 1 else 'were'} kept out by the guard"
        console.print(f"[yellow]guard[/yellow] {were}{f' ({types})' if types else ''}", highlight=False)


def guarded_types(isolation: pb.Isolation) -> Iterator[str]:
    """For what passages are kept out of this context, as people say it."""
    return (_SENSITIVE[item.type][0] for item in isolation.sensitive if item.action in _OUT)


def masked_types(isolation: pb.Isolation) -> frozenset[str]:
    """For what pseudonyms stand in this context, as they spell it, such as `PAYMENT_CARD`."""
    return frozenset(
        guard_pb2.SensitiveType.Name(item.type).removeprefix("SENSITIVE_TYPE_")
        for item in isolation.sensitive
        if item.action == guard_pb2.GUARD_ACTION_MASK
    )


def show_profile(console: Console, reply: pb.BuildContextResponse | pb.PlanContextResponse) -> None:
    """Which version of which recipe answered."""
    version = f"@{reply.profile_version}" if reply.profile_version else " (built in)"
    label = f" by its label {reply.profile_label}" if reply.profile_label and reply.profile_version else ""
    console.print(f"[bold]profile[/bold] {escape(reply.profile + version + label)}", highlight=False)


def show_cost(console: Console, cost: pb.PromptCost) -> None:
    """What the model's provider would ask."""
    text = f"[bold]cost[/bold] ${cost.input_usd:.6f} to read the prompt"
    if cost.HasField("cached_input_usd"):
        text += f" (${cost.cached_input_usd:.6f} with its front in the provider's cache)"
    if cost.HasField("output_usd"):
        text += f", ${cost.output_usd:.6f} for an answer of the reserved length"
    console.print(text, highlight=False)
