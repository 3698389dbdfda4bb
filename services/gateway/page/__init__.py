"""The read-only web page that shows the ledger."""

from services.gateway.page.server import page

__all__ = ["page"]
