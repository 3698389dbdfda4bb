"""How good a context is and what was kept out of it, on a terminal."""

from rich.console import Console
from rich.markup import escape

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


def show_isolation(console: Console, isolation: pb.Isolation) -> None:
    """What was defused and what the guard met; nothing where there was nothing."""
    parts = [
        f"{count.count} {_name(prompt_pb2.ImitationType.Name(count.type), 'IMITATION_TYPE_')} defused"
        for count in isolation.defused
    ]
    parts += [
        f"{count.count} {_name(guard_pb2.SensitiveType.Name(count.type), 'SENSITIVE_TYPE_')}: "
        f"{_name(guard_pb2.GuardAction.Name(count.action), 'GUARD_ACTION_')}"
        for count in isolation.sensitive
    ]
    if parts:
        console.print(f"[bold]isolation[/bold] {', '.join(parts)}", highlight=False)


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


def _name(constant: str, prefix: str) -> str:
    return constant.removeprefix(prefix).lower().replace("_", " ")
