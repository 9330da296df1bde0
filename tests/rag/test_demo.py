"""The demo tenant at the first start and at later ones."""

from __future__ import annotations

from pathlib import Path

from rag_client import Client
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc
from salambot.rag.v1 import rag_pb2

from servers.demo import KNOWLEDGE, TENANT, load_demo
from servers.kit.platform import Platform
from servers.kit.text.normalise import normalise

BILL = "salam 3afak fin n9der nshouf la facture ?"


class _Steps(list[float | None]):
    """A Progress that keeps how far it was told to be."""

    def __call__(self, step: str, message: str, fraction: float | None = None) -> None:
        self.append(fraction)


async def test_the_demo_is_loaded_once_and_then_left_alone(reading: Platform, tmp_path: Path) -> None:
    platform, steps = reading, _Steps()
    key = await load_demo(platform, tmp_path, steps)
    assert steps[-1] == 1.0
    assert steps == sorted(steps)
    assert (tmp_path / "demo.key").stat().st_mode & 0o777 == 0o600
    principal = await platform.tenants.authenticate(key)
    assert principal.tenant == TENANT
    assert principal.holds(options_pb2.SCOPE_CHAT)
    assert (await platform.tenants.get(TENANT)).settings["allowed_origins"]

    client = Client(TENANT, platform)
    before = (await client.page(200)).documents
    assert len(before) == len(list(KNOWLEDGE.glob("*.*.md")))
    assert all(document.state == rag_pb2.DOCUMENT_STATE_READY for document in before)
    assert sum(document.passage_count for document in before) >= 30

    assert await load_demo(platform, tmp_path, _Steps()) == key
    assert (await client.page(200)).documents == before

    assert await platform.tenants.revoke_key(TENANT, principal.key_id)
    other = await load_demo(platform, tmp_path, _Steps())
    assert other != key
    assert (tmp_path / "demo.key").read_text().strip() == other


async def test_the_question_of_the_contract_finds_the_billing_entry(reading: Platform, tmp_path: Path) -> None:
    await load_demo(reading, tmp_path, _Steps())
    customer = Client(TENANT, reading, channel=envelope_pb2.CHANNEL_FACEBOOK)
    output = await customer.retrieve(BILL, language=envelope_pb2.LANGUAGE_DARIJA_ARABIZI)
    assert (output.ids[0], output.citations[0].loc) == ("billing-darija-arabizi", "#voir-facture")
    assert output.languages[0] == envelope_pb2.LANGUAGE_DARIJA_ARABIZI
    assert "facture" in normalise(output.passages[0])
    assert output.scores[0] >= 0.7
    assert len({citation.loc for citation in output.citations}) == len(output.citations)


async def test_a_message_about_a_product_names_it_for_the_demo_tenant_alone(
    reading: Platform, tenant: str, tmp_path: Path
) -> None:
    key = await load_demo(reading, tmp_path, _Steps())
    other = await reading.tenants.create_key(tenant, name="test", scopes=[options_pb2.SCOPE_CHAT])
    nlu = nlu_service_pb2_grpc.NLUServiceStub(reading.channel)

    async def products(text: str, tenant: str, key: str) -> list[tuple[str, str]]:
        envelope = envelope_pb2.Envelope(tenant=tenant, channel=envelope_pb2.CHANNEL_FACEBOOK, message_id="m1")
        request = nlu_service_pb2.AnalyzeRequest(envelope=envelope, data=nlu_pb2.AnalyzeInput(text=text))
        analysis = (await nlu.Analyze(request, metadata=[("authorization", f"Bearer {key}")])).data
        return [(item.value, text[item.start : item.end]) for item in analysis.entities if item.type == "product"]

    for text, found in (
        ("wach ba9i 3ndkom iphone 15 pro ?", [("iPhone 15 Pro", "iphone 15 pro")]),
        ("بغيت نشري ثلاجة", [("Réfrigérateur Whirlpool", "ثلاجة")]),
        ("ma box fibre ne marche plus", [("Box fibre", "box fibre")]),
    ):
        assert await products(text, TENANT, key) == found
        assert await products(text, tenant, other) == []
