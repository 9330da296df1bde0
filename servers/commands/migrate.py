"""`salambot migrate`: the schema, ahead of a roll-out."""

from __future__ import annotations

from servers.commands.process import console, run
from servers.kit.errors import InvalidInput
from servers.kit.postgres import migrate as bring_up_to_date
from servers.kit.settings import Settings
from servers.runtime import SERVERS


def migrate() -> None:
    """Bring the schema of SALAMBOT_DATABASE_OWNER_URL up to date. The other commands do it too when they start."""

    async def work(settings: Settings) -> None:
        url = settings.database_owner_url or settings.database_url
        if url is None:
            raise InvalidInput("set SALAMBOT_DATABASE_OWNER_URL; an embedded Postgres is migrated at each start")
        await bring_up_to_date(url, SERVERS, lambda name: console.print(f"applied {name}"))
        console.print("the schema is up to date")

    run(work)
