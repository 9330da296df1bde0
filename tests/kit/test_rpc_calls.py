"""What every RPC has around it: credential, envelope, rules of shape, errors. The same over both transports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from datetime import UTC, datetime, timedelta

import pytest
from salambot.common.v1 import envelope_pb2, options_pb2
from structlog.testing import capture_logs

from servers.kit import errors
from servers.kit.interceptors.errors import MASKED
from servers.kit.platform import Platform
from tests.awaiting import read
from tests.kit.echo.wire import Wire


async def test_the_envelope_is_filled_in_and_comes_back(wire: Wire) -> None:
    before = time.time()
    reply = await wire.stub.Echo(wire.request(), metadata=wire.outside)
    assert reply.data.text == "salam"
    asked = wire.service.calls[0].envelope
    for envelope in (asked, reply.envelope):
        assert envelope.schema_version == "1.0"
        assert envelope.tenant == wire.tenant
        assert envelope.channel == envelope_pb2.CHANNEL_WEBCHAT
        assert envelope.message_id == "m1"
        assert envelope.correlation_id.startswith("corr_")
        assert envelope.locale == "ar-MA"  # the tenant's
    assert asked.correlation_id == reply.envelope.correlation_id
    assert (
        before <= asked.timestamp.ToNanoseconds() / 1e9 <= reply.envelope.timestamp.ToNanoseconds() / 1e9 <= time.time()
    )


async def test_what_a_client_says_of_itself_is_kept(wire: Wire) -> None:
    sent = wire.request(schema_version="1.7", correlation_id="corr_42", locale="en")
    sent.envelope.timestamp.FromJsonString("2026-01-02T03:04:05Z")
    reply = await wire.stub.Echo(sent, metadata=wire.outside)
    assert (reply.envelope.schema_version, reply.envelope.correlation_id, reply.envelope.locale) == (
        "1.7",
        "corr_42",
        "en",
    )
    assert wire.service.calls[0].envelope.timestamp.ToJsonString() == "2026-01-02T03:04:05Z"
    assert reply.envelope.timestamp.ToJsonString() != "2026-01-02T03:04:05Z"


async def test_all_four_shapes(wire: Wire) -> None:
    async def requests():
        for text in ("salam", "labas"):
            yield wire.request(text)

    assert (await wire.stub.Echo(wire.request(), metadata=wire.outside)).data.text == "salam"
    streamed = [reply async for reply in wire.stub.Repeat(wire.request(times=3), metadata=wire.outside)]
    assert [reply.data.text for reply in streamed] == ["salam 0", "salam 1", "salam 2"]
    collected = await wire.stub.Collect(requests(), metadata=wire.outside)
    assert collected.data.text == "salam labas"
    conversed = [reply async for reply in wire.stub.Converse(requests(), metadata=wire.outside)]
    assert [reply.data.text for reply in conversed] == ["SALAM", "LABAS"]
    for reply in (*streamed, collected, *conversed):
        assert reply.envelope.message_id == "m1"


async def refused(wire: Wire, rpc: str, request: object, metadata: object) -> errors.SalamError:
    call = getattr(wire.stub, rpc)(request, metadata=metadata)
    with pytest.raises(errors.SalamError) as caught:
        await (read(call) if isinstance(call, AsyncIterable) else call)
    return caught.value


@pytest.mark.parametrize("rpc", ["Echo", "Repeat"])
async def test_another_tenants_envelope_is_refused(wire: Wire, rpc: str) -> None:
    error = await refused(wire, rpc, wire.request(tenant="other"), wire.outside)
    assert type(error) is errors.PermissionDenied
    assert not wire.service.calls


async def test_another_tenants_envelope_is_refused_in_the_middle_of_a_stream(wire: Wire) -> None:
    async def requests():
        yield wire.request()
        yield wire.request(tenant="other")

    assert type(await refused(wire, "Collect", requests(), wire.outside)) is errors.PermissionDenied
    assert type(await refused(wire, "Converse", requests(), wire.outside)) is errors.PermissionDenied


async def test_the_tenant_is_required_but_where_there_is_no_body(wire: Wire) -> None:
    error = await refused(wire, "Echo", wire.request(tenant=""), wire.outside)
    assert type(error) is errors.InvalidInput
    assert [violation.field for violation in error.violations] == ["envelope.tenant"]
    reply = await wire.stub.Get(wire.request(tenant=""), metadata=wire.outside)
    assert reply.envelope.tenant == wire.tenant


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic c2s6eHg=",
        "Bearer sk_",
        "Bearer sk_unknown_secret",
        "Bearer sk_é_é",
        "Bearer int_",
        "Bearer int_x.y",
        "Bearer int_é.é",
        "Bearer nonsense",
    ],
)
async def test_no_credential_or_an_unknown_one(wire: Wire, credential: str | None) -> None:
    if wire.name == "socket" and credential and not credential.isascii():
        pytest.skip("gRPC carries ASCII alone")
    metadata = [] if credential is None else [("authorization", credential)]
    error = await refused(wire, "Echo", wire.request(), metadata)
    assert type(error) is errors.Unauthorized


async def test_a_key_with_another_secret(wire: Wire) -> None:
    key_id = wire.key.split("_")[1]
    error = await refused(wire, "Echo", wire.request(), [("authorization", f"Bearer sk_{key_id}_guess")])
    assert type(error) is errors.Unauthorized


async def test_a_revoked_key(wire: Wire, base_platform: Platform) -> None:
    await wire.stub.Echo(wire.request(), metadata=wire.outside)
    assert await base_platform.tenants.revoke_key(wire.tenant, wire.key.split("_")[1])
    error = await refused(wire, "Echo", wire.request(), wire.outside)
    assert type(error) is errors.Unauthorized
    assert not await base_platform.tenants.revoke_key(wire.tenant, wire.key.split("_")[1])


async def test_another_tenant_cannot_revoke_a_key(wire: Wire, base_platform: Platform) -> None:
    assert not await base_platform.tenants.revoke_key("other", wire.key.split("_")[1])
    await wire.stub.Echo(wire.request(), metadata=wire.outside)


async def test_an_expired_key(wire: Wire, base_platform: Platform) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    key = await base_platform.tenants.create_key(wire.tenant, name="old", scopes=[1], expires_at=past)
    error = await refused(wire, "Echo", wire.request(), [("authorization", f"Bearer {key}")])
    assert type(error) is errors.Unauthorized


async def test_a_missing_scope(wire: Wire, base_platform: Platform) -> None:
    error = await refused(wire, "Administer", wire.request(), wire.outside)
    assert type(error) is errors.PermissionDenied
    assert "`admin`" in error.message
    admin = await base_platform.tenants.create_key(wire.tenant, name="admin", scopes=[options_pb2.SCOPE_ADMIN])
    await wire.stub.Administer(wire.request(), metadata=[("authorization", f"Bearer {admin}")])


async def test_violations_name_their_fields(wire: Wire) -> None:
    sent = wire.request("x" * 21, times=-1, schema_version="2.0")
    sent.data.words["facture"] = "too long"
    sent.data.list.extend(["short", "too long"])
    error = await refused(wire, "Echo", sent, wire.outside)
    assert type(error) is errors.InvalidInput
    assert {violation.field for violation in error.violations} == {
        "envelope.schema_version",
        "data.text",
        "data.times",
        "data.words[facture]",
        "data.list[1]",
    }
    assert all(violation.description for violation in error.violations)
    assert not wire.service.calls


async def test_missing_data(wire: Wire) -> None:
    sent = wire.request()
    sent.ClearField("data")
    error = await refused(wire, "Echo", sent, wire.outside)
    assert [violation.field for violation in error.violations] == ["data"]


async def test_very_many_violations_still_arrive(wire: Wire) -> None:
    sent = wire.request()
    sent.data.list.extend(["too long"] * 5000)
    sent.data.words["x" * 10_000] = "too long"
    error = await refused(wire, "Echo", sent, wire.outside)
    assert type(error) is errors.InvalidInput
    assert 0 < len(error.violations) <= 20


async def test_violations_within_a_stream(wire: Wire) -> None:
    async def requests():
        yield wire.request()
        yield wire.request("")

    error = await refused(wire, "Collect", requests(), wire.outside)
    assert [violation.field for violation in error.violations] == ["data.text"]


@pytest.mark.parametrize("rpc", ["Echo", "Repeat"])
@pytest.mark.parametrize(
    "raised", [RuntimeError("0612345678"), KeyError("0612345678"), errors.InternalError("0612345678")]
)
async def test_what_is_unforeseen_is_masked_and_logged(wire: Wire, rpc: str, raised: Exception) -> None:
    async def answer(request):
        raise raised

    async def answers(request):
        yield wire.service.reply("one")
        raise raised

    wire.service.answer, wire.service.answers = answer, answers
    with capture_logs() as logs:
        error = await refused(wire, rpc, wire.request(), wire.outside)
    assert type(error) is errors.InternalError
    assert error.message == MASKED
    assert "0612345678" not in repr(vars(error))
    (logged,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert logged["exc_info"] is raised


@pytest.mark.parametrize("raised", [ConnectionResetError("10.0.0.7"), errors.UpstreamError("Triton is out of reach")])
async def test_what_stands_behind_is_out_of_reach(wire: Wire, raised: Exception) -> None:
    async def answer(request):
        raise raised

    wire.service.answer = answer
    error = await refused(wire, "Echo", wire.request(), wire.outside)
    assert type(error) is errors.UpstreamError
    assert "10.0.0.7" not in error.message


@pytest.mark.parametrize("rpc", ["Unbuilt", "UnbuiltStream"])
async def test_an_rpc_that_is_not_built_says_so(wire: Wire, rpc: str) -> None:
    error = await refused(wire, rpc, wire.request(), wire.outside)
    assert type(error) is errors.Unimplemented
    assert "not built yet" in error.message


@pytest.mark.parametrize(
    "raised",
    [
        errors.NotFound("there is no such thing"),
        errors.Conflict("it is taken", violations=[errors.Violation("data.text", "is taken")]),
        errors.RateLimited("slowly", retry_after=1.5),
        errors.InvalidInput("مرحبا: not this"),
    ],
)
@pytest.mark.parametrize("rpc", ["Echo", "Repeat"])
async def test_errors_of_the_contract_arrive_whole(wire: Wire, rpc: str, raised: errors.SalamError) -> None:
    async def answer(request):
        raise raised

    async def answers(request):
        raise raised
        yield

    wire.service.answer, wire.service.answers = answer, answers
    error = await refused(wire, rpc, wire.request(), wire.outside)
    assert type(error) is type(raised)
    assert vars(error) == vars(raised)
