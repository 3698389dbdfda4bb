"""What a command shows, without a terminal."""

import io

from rich.console import Console

from scic.gateway.v1 import context_service_pb2 as context
from scic.type.v1 import guard_pb2


def shown(show, *arguments, width: int = 160, **options) -> str:
    """What `show` prints on a screen of that width."""
    file = io.StringIO()
    show(Console(file=file, width=width), *arguments, **options)
    return file.getvalue().replace("\N{MULTIPLICATION SIGN}", "x")


def guarded(rules: dict[str, str]) -> context.Isolation:
    """What a guard met: one value of each type, and what it did."""
    return context.Isolation(
        sensitive=[
            guard_pb2.SensitiveCount(
                type=guard_pb2.SensitiveType.Value(f"SENSITIVE_TYPE_{kind}"),
                action=guard_pb2.GuardAction.Value(f"GUARD_ACTION_{action}"),
                count=1,
            )
            for kind, action in rules.items()
        ]
    )
