"""Which vector store a tenant's items are in, and moving them to another."""

from servers.rag.placement.placed import PlacedVectors
from servers.rag.placement.store import Placement, Placements

__all__ = ["PlacedVectors", "Placement", "Placements"]
