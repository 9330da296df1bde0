"""Vectors behind one port: pgvector embedded, Milvus at scale; one contract suite runs over both."""

from servers.kit.vectors.interfaces import Item, Match, VectorStore

__all__ = ["Item", "Match", "VectorStore"]
