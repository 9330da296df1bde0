"""`salambot tenant` against a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from servers.cli import _app
from servers.kit.errors import Unauthorized
from servers.kit.platform import Platform


@pytest.fixture
def tenant_command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs `salambot tenant …` beside the test's loop."""
    monkeypatch.setenv("SALAMBOT_HOME", str(tmp_path))
    monkeypatch.setenv("SALAMBOT_DATABASE_URL", database_url)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, _app(), ["tenant", *arguments])

    return run


async def test_a_tenant_and_its_key_from_the_first_to_the_last(tenant_command, base_platform: Platform) -> None:
    created = await tenant_command("create", "sahara", "--name", "Sahara Télécom", "--locale", "ar-MA")
    assert created.exit_code == 0, created.output
    tenant = await base_platform.tenants.get("sahara")
    assert (tenant.name, tenant.locale) == ("Sahara Télécom", "ar-MA")

    again = await tenant_command("create", "sahara")
    assert again.exit_code == 1
    assert "already" in again.stderr

    made = await tenant_command("key", "sahara", "--scope", "chat", "--scope", "admin")
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    principal = await base_platform.tenants.authenticate(key)
    assert (principal.tenant, principal.scopes, principal.locale) == ("sahara", {1, 4}, "ar-MA")

    revoked = await tenant_command("revoke", "sahara", key.split("_")[1])
    assert revoked.exit_code == 0, revoked.output
    base_platform.tenants._keys.forget(key.split("_")[1])  # another process revoked it
    with pytest.raises(Unauthorized):
        await base_platform.tenants.authenticate(key)
    assert (await tenant_command("revoke", "sahara", key.split("_")[1])).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["key", "nobody"], "there is no tenant nobody"),
        (["key", "nobody", "--scope", "everything"], "nobody"),
        (["create", "Not A Name"], "lower-case letters"),
        (["create", "x" * 64], "lower-case letters"),
        (["revoke", "nobody", "k1"], "no such key"),
    ],
)
async def test_what_is_refused(tenant_command, arguments: list[str], said: str) -> None:
    result = await tenant_command(*arguments)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())


async def test_a_scope_that_there_is_not(tenant_command, tenant: str) -> None:
    result = await tenant_command("key", tenant, "--scope", "everything")
    assert result.exit_code == 1
    assert "there is no scope everything" in result.stderr
