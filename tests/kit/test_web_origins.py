"""Web origins: which pages' preflights are permitted."""

from __future__ import annotations

from servers.kit.platform import Platform


async def test_a_tenant_that_allows_every_origin_permits_every_preflight(base_platform: Platform, tenant: str) -> None:
    tenants = base_platform.tenants
    settings = {"allowed_origins": ["https://shop.example"]}
    await tenants.put(tenant, name="Atlas", locale="fr-MA", settings=settings)
    assert await tenants.origin_allowed("https://shop.example")
    assert not await tenants.origin_allowed("https://elsewhere.example")

    await tenants.put(tenant, name="Atlas", locale="fr-MA", settings={"allowed_origins": ["*"]})
    assert await tenants.origin_allowed("https://elsewhere.example")

    await tenants.put(tenant, name="Atlas", locale="fr-MA", settings={})
    assert not await tenants.origin_allowed("https://elsewhere.example")
