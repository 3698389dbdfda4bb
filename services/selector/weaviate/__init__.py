"""Weaviate as the store: any number of selectors share a cluster."""

from services.selector.weaviate.connection import Address
from services.selector.weaviate.store import WeaviateStore

__all__ = ["Address", "WeaviateStore"]
