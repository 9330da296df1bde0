"""Postgres: a pool that can only be used for a tenant, and the migrations of the schema."""

from servers.kit.postgres.migrations import migrate
from servers.kit.postgres.pool import Postgres

__all__ = ["Postgres", "migrate"]
