"""Passages that stand: what the rows say of the items that the vector store found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servers.kit.postgres import Postgres
from servers.kit.vectors import Match
from servers.kit.vectors.interfaces import DOCUMENT, VERSION
from servers.rag.index import LOC


@dataclass(frozen=True, slots=True)
class Standing:
    """A passage as it is shown; `title` is that of the document where the passage has none."""

    document: str
    loc: str
    title: str
    text: str
    url: str
    language: str


class Passages:
    """Reads passages of tenants."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def read(self, tenant: str, matches: Sequence[Match], *, staff: bool) -> dict[str, Standing]:
        """By the matches' ids, the passages that may be shown now: live, valid, and public unless `staff` asks."""
        asked = {
            (match.payload[DOCUMENT], int(match.payload[VERSION]), match.payload[LOC]): match.id for match in matches
        }
        if not asked:
            return {}
        documents, versions, locs = (list(column) for column in zip(*asked, strict=True))
        rows = await self._postgres.call(tenant, "rag_standing", documents, versions, locs, staff)
        return {
            asked[row["document"], row["version"], row["loc"]]: Standing(
                document=row["document"],
                loc=row["loc"],
                title=row["title"] or row["document_title"],
                text=row["body"],
                url=row["url"],
                language=row["language"],
            )
            for row in rows
        }
