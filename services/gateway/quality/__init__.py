"""Quality figures of a context, from its text alone. docs/quality-figures.md defines them."""

from services.gateway.quality.measure import measure

__all__ = ["measure"]
