"""Entity types as tenants define them: stored whole, seen by nobody else, in force in every process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from salambot.common.v1 import options_pb2
from salambot.nlu.v1 import entity_types_pb2

from gateway.app import create_app
from gateway.server import serving
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from servers.kit.errors import InvalidInput, NotFound
from servers.kit.platform import Addresses
from servers.nlu.entity_types import store
from tests.awaiting import until
from tests.kit.mortal import Mortal, mortal
from tests.nlu.entity_types.installation import Client, Process, new_client, process

__all__ = ["mortal"]


def product(*values: str, name: str = "product", **fields: object) -> entity_types_pb2.EntityType:
    listed = [entity_types_pb2.EntityValue(value=value, synonyms=[f"{value} bis"]) for value in values]
    return entity_types_pb2.EntityType(name=name, values=listed, **fields)


async def test_a_type_is_stored_listed_replaced_and_deleted(client: Client, stranger: Client) -> None:
    sent = product("Box 4G", "باقة", patterns=["BX-[0-9]+"], personal=True)
    stored = await client.put(sent)
    assert (stored.name, list(stored.values), list(stored.patterns), stored.personal) == (
        "product", [], ["BX-[0-9]+"], True,
    )  # fmt: skip
    assert abs(stored.updated_at.seconds - time.time()) < 60
    whole = await client.get("product")
    assert whole.updated_at == stored.updated_at
    whole.ClearField("updated_at")
    assert whole == sent
    await client.put(product("Fibre", name="brand"))
    assert [(kind.name, len(kind.values)) for kind in await client.all()] == [("brand", 0), ("product", 0)]

    assert await stranger.all() == []
    assert await stranger.delete("product") is False
    with pytest.raises(NotFound):
        await stranger.get("product")

    await client.put(product("Fibre 100"))
    assert [value.value for value in (await client.get("product")).values] == ["Fibre 100"]
    assert await client.delete("product") is True
    assert await client.delete("product") is False
    assert [kind.name for kind in await client.all()] == ["brand"]


async def test_names_are_found_for_their_tenant_alone(client: Client, stranger: Client) -> None:
    await client.put(product("Galaxy S24"))
    assert await client.values_in("bghit lgalaxy s24") == ["Galaxy S24"]
    assert await stranger.values_in("bghit lgalaxy s24") == []
    await stranger.put(product("Galaxy S25"))
    assert [await tenant.values_in("galaxy s24, galaxy s25") for tenant in (client, stranger)] == [
        ["Galaxy S24"],
        ["Galaxy S25"],
    ]


async def test_what_cannot_be_used_is_refused_with_a_reason(client: Client) -> None:
    for sent, told in [
        (product("x", name="phone"), "built-in"),
        (product(), "values or patterns"),
        (product(patterns=["ok", "(a", r"(?=a)"]), r"patterns\[1\].*missing \).*patterns\[2\].*\(\?="),
        (product(patterns=[r"((\pL{1,100}){1,100}){1,100}"]), r"patterns\[0\].*repetition"),
        (product(patterns=[r"(\pL{1,100}){1,10}"]), r"patterns\[0\].*too large"),
        (product(*map(str, range(20_001))), "values"),
        (product(patterns=["a"] * 21), "patterns"),
        (product("x", name="Product"), "name"),
    ]:
        with pytest.raises(InvalidInput, match=told):
            await client.put(sent)
    assert await client.all() == []


async def test_a_tenant_has_at_most_fifty_types_and_so_many_code_points(
    client: Client, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = [client.put(product("x", name=f"t{number}")) for number in range(store.MOST_TYPES + 5)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(result, InvalidInput) for result in results) == 5
    assert len(await client.all()) == store.MOST_TYPES
    await client.put(product("y", name=(await client.all())[0].name))  # one that is there may still change
    monkeypatch.setattr(store, "MOST_CODE_POINTS", 20)
    await stranger.put(product("abcdefgh"))
    with pytest.raises(InvalidInput, match="code points"):
        await stranger.put(product("a", name="other"))


async def test_a_change_is_in_force_here_at_once_and_in_another_process_within_a_second(
    client: Client, other: Process
) -> None:
    assert await client.values_in("galaxy s24", other) == []
    await client.put(product("Galaxy S24"))
    assert await client.values_in("galaxy s24") == ["Galaxy S24"]

    async def seen_there() -> bool:
        return await client.values_in("galaxy s24", other) == ["Galaxy S24"]

    async with asyncio.timeout(1):
        await until(seen_there)
    await client.delete("product")
    assert await client.values_in("galaxy s24") == []


async def test_what_is_put_again_as_it_was_is_not_compiled_again(client: Client) -> None:
    await client.put(product("Galaxy S24"))
    before = await client.process.catalogue.matcher(client.tenant)
    first = (await client.get("product")).updated_at
    assert (await client.put(product("Galaxy S24"))).updated_at == first
    assert await client.process.catalogue.matcher(client.tenant) is before


async def test_without_redis_another_process_sees_a_change_within_seconds(tmp_path: Path, database_url: str) -> None:
    async with open_redis(tmp_path / "redis", silent) as url:
        addresses = Addresses(database_url, url)
        opened = process(tmp_path / "a", addresses), process(tmp_path / "b", addresses)
        here, there = [await each.__aenter__() for each in opened]
        client = await new_client(here)
        assert await client.values_in("galaxy s24", there) == []

    async def seen_there() -> bool:
        return await client.values_in("galaxy s24", there) == ["Galaxy S24"]

    await until(lambda: not there.platform.changes.heard)
    await client.put(product("Galaxy S24"))
    async with asyncio.timeout(2):
        await until(seen_there)
    for each in opened:
        await each.__aexit__(None, None, None)


async def test_without_postgres_known_types_are_found_and_unknown_ones_are_none(
    stores: Path, mortal: Mortal, redis_url: str
) -> None:
    async with process(stores / "mortal", Addresses(mortal.url, redis_url)) as served:
        known, unknown = await new_client(served), await new_client(served)
        await known.put(product("Galaxy S24"))
        mortal.kill()
        await served.platform.changes.tell(known.tenant, "entity_types")
        assert await unknown.values_in("galaxy s24") == []
        assert await known.values_in("galaxy s24") == ["Galaxy S24"]


@pytest.mark.timeout(60)
async def test_a_pattern_that_backtracks_elsewhere_takes_linear_time(client: Client) -> None:
    await client.put(product(patterns=["(a+)+$", "(a|aa)+b", "(.*)*x"]))
    assert await client.values_in("a" * 2000) == ["a" * 2000]
    assert await client.values_in("a" * 1999 + "!") == []


async def test_rest_speaks_of_them_as_the_contract_says(served: Process, client: Client) -> None:
    key = await served.platform.tenants.create_key(client.tenant, name="k", scopes=[options_pb2.SCOPE_KNOWLEDGE])
    envelope = {"tenant": client.tenant, "channel": "admin", "message_id": "m1"}
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        serving(create_app(served.platform), "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as http,
    ):
        url = "/v1/nlu/entity-types"
        values = [{"value": "Galaxy S24", "synonyms": ["غالاكسي"]}]
        body = {**envelope, "data": {"entity_type": {"values": values, "patterns": ["(?i)sku-[0-9]+"]}}}
        answer = await http.put(f"{url}/product", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["entity_type"]["patterns"] == ["(?i)sku-[0-9]+"]
        answer = await http.get(f"{url}/product")
        assert answer.json()["data"]["entity_type"]["values"] == values
        answer = await http.get(url)
        assert [kind["name"] for kind in answer.json()["data"]["entity_types"]] == ["product"]

        body["data"] = {"entity_type": {"patterns": ["(a"]}}
        answer = await http.put(f"{url}/product", json=body)
        assert answer.status_code == 400
        assert "data.entity_type.patterns[0]" in answer.text
        assert (await http.get(f"{url}/nothing")).status_code == 404
        assert (await http.delete(f"{url}/product")).json()["data"]["deleted"] is True
