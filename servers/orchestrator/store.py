"""Conversations and turns in Postgres: all SQL of the orchestrator, but for the two functions that every message calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from salambot.orchestrator.v1 import orchestrator_pb2

from servers.kit.errors import NotFound
from servers.kit.postgres import Postgres

HISTORY = 4
"""How many earlier turns a reply is written with."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored about a message before it is answered.

    `reply` is the stored reply when the message was answered before; `conversation` the customer's open conversation.
    """

    reply: orchestrator_pb2.Reply | None
    conversation: str | None
    turns: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn to store; texts are masked already. `customer` is a keyed hash, None when nobody is known."""

    id: str
    conversation: str
    channel: int
    customer: bytes | None
    message_id: str
    user_text: str
    reply: orchestrator_pb2.Reply


class Duplicate(Exception):
    """The message was answered while we answered it too; holds the reply that came first."""

    def __init__(self, reply: orchestrator_pb2.Reply) -> None:
        super().__init__()
        self.reply = reply


def reply_of(stored: bytes, conversation: str) -> orchestrator_pb2.Reply:
    """A stored reply. It was written before it was known which of two conversations begun at once would stay."""
    reply = orchestrator_pb2.Reply.FromString(stored)
    reply.conversation_id = conversation
    return reply


class Store:
    """The conversations of one tenant at a time."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def load(
        self, tenant: str, channel: int, message_id: str, conversation: str, customer: bytes | None
    ) -> Known:
        """What is known of a message; raises NotFound when it names a conversation that there is not."""
        [row] = await self._postgres.call(
            tenant, "orchestrator_known", channel, message_id, conversation, customer, HISTORY
        )
        if conversation and row["conversation"] is None:
            raise NotFound(f"there is no conversation {conversation}")
        newest_first = zip(row["texts"] or (), row["replies"] or (), strict=True)
        reply = reply_of(row["reply"], row["answered_in"]) if row["reply"] is not None else None
        return Known(reply, row["conversation"], list(newest_first)[::-1])

    async def add_turn(self, tenant: str, turn: NewTurn, *, go_on: bool) -> str:
        """Stores a turn and returns its conversation; raises Duplicate when the message has one already."""
        try:
            [[conversation]] = await self._postgres.call(
                tenant,
                "orchestrator_add_turn",
                go_on,
                turn.conversation,
                turn.channel,
                turn.reply.language,
                turn.customer,
                turn.id,
                turn.message_id,
                turn.user_text,
                turn.reply.SerializeToString(),
                turn.reply.intent,
            )
        except asyncpg.UniqueViolationError:
            known = await self.load(tenant, turn.channel, turn.message_id, "", None)
            if known.reply is None:
                raise
            raise Duplicate(known.reply) from None
        if conversation is None:
            raise NotFound(f"there is no conversation {turn.conversation}")
        return str(conversation)

    async def conversations(self, tenant: str, limit: int, before: tuple[datetime, str] | None) -> list[asyncpg.Record]:
        """A page of conversations, the latest first, after the one that `before` names."""
        moment, key = before or (None, None)
        async with self._postgres.tenant(tenant) as connection:
            return await connection.fetch(
                """
                SELECT id, channel, encode(customer, 'hex') AS customer, state, language, turn_count,
                    created_at, updated_at
                FROM conversations
                WHERE $1::timestamptz IS NULL OR (updated_at, id) < ($1, $2)
                ORDER BY updated_at DESC, id DESC LIMIT $3
                """,
                moment, key, limit,
            )  # fmt: skip

    async def turns(self, tenant: str, conversation: str, limit: int, after: str) -> list[asyncpg.Record]:
        """A page of a conversation's turns, oldest first; raises NotFound."""
        async with self._postgres.tenant(tenant) as connection:
            if not await connection.fetchval("SELECT true FROM conversations WHERE id = $1", conversation):
                raise NotFound(f"there is no conversation {conversation}")
            return await connection.fetch(
                "SELECT * FROM turns WHERE conversation = $1 AND id > $2 ORDER BY id LIMIT $3",
                conversation, after, limit,
            )  # fmt: skip

    async def purge(self, tenant: str, days: int, batch: int) -> int:
        """Removes up to `batch` turns older than `days`, and conversations left without any; how many turns went."""
        async with self._postgres.tenant(tenant) as connection:
            removed = await connection.fetch(
                """
                DELETE FROM turns WHERE (tenant, id) IN (
                    SELECT tenant, id FROM turns WHERE created_at < now() - make_interval(days => $1) LIMIT $2
                ) RETURNING conversation
                """,
                days, batch,
            )  # fmt: skip
            await connection.execute(
                """
                DELETE FROM conversations c WHERE id = ANY ($1)
                AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation = c.id)
                """,
                list({row["conversation"] for row in removed}),
            )
        return len(removed)
