"""The envelope around every message: filling in what a client may leave out, and the envelope of the reply."""

from __future__ import annotations

import os
import time

from google.protobuf.timestamp_pb2 import Timestamp
from salambot.common.v1 import envelope_pb2

SCHEMA_VERSION = "1.0"

Envelope = envelope_pb2.Envelope


def new_id(prefix: str) -> str:
    """A new identifier, time-ordered: `<prefix>_<48 bits of milliseconds><80 random bits>` in hex (as UUIDv7)."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def stamp(timestamp: Timestamp) -> None:
    """Sets `timestamp` to now."""
    timestamp.seconds, timestamp.nanos = divmod(time.time_ns(), 1_000_000_000)


def complete(envelope: Envelope, *, locale: str) -> None:
    """Fills in what the contract lets a client leave out; `locale` is the tenant's default."""
    if not envelope.schema_version:
        envelope.schema_version = SCHEMA_VERSION
    if not envelope.correlation_id:
        envelope.correlation_id = new_id("corr")
    if not envelope.locale:
        envelope.locale = locale
    if not envelope.HasField("timestamp"):
        stamp(envelope.timestamp)


def reply_to(request: Envelope, reply: Envelope) -> None:
    """Makes `reply` the request's envelope at this moment."""
    reply.CopyFrom(request)
    stamp(reply.timestamp)
