"""Stored rows as the contract's resources."""

from __future__ import annotations

import asyncpg
from salambot.orchestrator.v1 import orchestrator_pb2

from servers.orchestrator.store import reply_of


def conversation_of(row: asyncpg.Record) -> orchestrator_pb2.Conversation:
    """A row of `conversations`."""
    conversation = orchestrator_pb2.Conversation(
        id=row["id"],
        channel=row["channel"],
        user_id=row["customer"] or "",
        state=row["state"],
        language=row["language"],
        turn_count=row["turn_count"],
    )
    conversation.created_at.FromDatetime(row["created_at"])
    conversation.updated_at.FromDatetime(row["updated_at"])
    return conversation


def turn_of(row: asyncpg.Record) -> orchestrator_pb2.Turn:
    """A row of `turns`."""
    turn = orchestrator_pb2.Turn(
        id=row["id"],
        conversation_id=row["conversation"],
        message_id=row["message_id"],
        user_text=row["user_text"],
        reply=reply_of(row["reply"], row["conversation"]),
    )
    turn.created_at.FromDatetime(row["created_at"])
    return turn
