"""Names for what comes from outside, in stores that are asked by expressions or by keys of their own kind.

A digest is hexadecimal, so that it can stand in any expression, and of one length.
"""

from __future__ import annotations

from hashlib import blake2b

from servers.kit.vectors.interfaces import Filters, Item

LENGTH = 32
"""Characters of a digest."""


def digest(*parts: str) -> str:
    """The same for the same parts; lengths come first, so that no two lists of parts agree."""
    hashed = blake2b(digest_size=LENGTH // 2)
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(8))
        hashed.update(data)
    return hashed.hexdigest()


def entries(item: Item) -> list[str]:
    """A digest for each entry of the payload: what filters match."""
    return [digest(key, value) for key, value in item.payload.items()]


def wanted(filters: Filters) -> list[list[str]]:
    """For each filter the digests of the entries one of which must be there."""
    return [
        [digest(key, value) for value in ((values,) if isinstance(values, str) else values)]
        for key, values in filters.items()
    ]
