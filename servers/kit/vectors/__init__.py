"""Vectors behind one port: pgvector embedded, Milvus or Qdrant at scale; one contract suite runs over all."""

from servers.kit.vectors.interfaces import Item, Match, Terms, VectorStore

__all__ = ["Item", "Match", "Terms", "VectorStore"]
