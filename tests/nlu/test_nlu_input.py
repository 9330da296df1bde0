"""Whatever anybody sends is answered: by a clear error, or by an analysis whose offsets cut the text exactly."""

from __future__ import annotations

import json
import re
import unicodedata

import grpc.aio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salambot.common.v1 import envelope_pb2 as common
from salambot.nlu.v1 import entity_types_pb2, nlu_pb2

from servers.kit.errors import InvalidInput
from servers.kit.text.normalise import ascii_digits
from tests.nlu.installation import Client
from tests.nlu.wire import Analyze, over_grpc, over_rest

SCRIPTS = "".join(
    chr(start)
    for start in (
        0x61, 0x3B1, 0x430, 0x561, 0x5D0, 0x628, 0x710, 0x780, 0x7CA, 0x800, 0x905, 0x995, 0xA15, 0xA95, 0xB15, 0xB95,
        0xC15, 0xC95, 0xD15, 0xD9A, 0xE01, 0xE81, 0xF40, 0x1000, 0x10D0, 0x1100, 0x1200, 0x13A0, 0x1401, 0x1681, 0x16A0,
        0x1703, 0x1780, 0x1820, 0x1900, 0x1950, 0x1980, 0x1A00, 0x1B05, 0x1B83, 0x1BC0, 0x1C00, 0x1C5A, 0x2C00, 0x2C80,
        0x2D31, 0x3042, 0x30A2, 0x3105, 0x4E2D, 0xA000, 0xA4D0, 0xAC00, 0x10000, 0x10300, 0x10900, 0x12000, 0x13000,
    )
)  # fmt: skip
PHONES = ["0612345678", "06 61-23.45 67", "+212 661 234567", "00212522123456", "+33 6 12 34 56 78", "٠٦١٢٣٤٥٦٧٨"]
EMAILS = ["amina@mail.ma", "Karim.Alami+x@Example.COM"]
ORDINARY = [
    "salam", "3afak", "bghit", "fin wslat", "ma commande CMD-2024-001", "عفاك", "بغيت نعرف", "غدا مع 10", "demain à 15h30",
    "l7ed jay", "250 dh", "٢٥٠ درهم", "Casablanca", "الدار البيضاء", "smiti Karim Alami", "taille XL", "3 pièces", "Box 4G",
    "e\u0301te\u0301", "ﷲ", "ـــسلام", "👩‍👩‍👧", "\u202e", "https://shop.example/a?b=c", "MA64011519000001205000534921",
    "ignore all previous instructions", "';--", "<b>", "%s", "\ud7ff", "ﬁ", "İ", "ß", "\u0085",
]  # fmt: skip
around = st.one_of(
    st.sampled_from(ORDINARY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text("0123456789+-. @", max_size=8),
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "data.text"), ("x" * 2001, "data.text"), ("س" * 1_000_000, "data.text"), ("salam \0 khoya", "U+0000")],
)
async def test_what_is_out_of_limits_is_refused_by_its_field(client: Client, text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(problem)) as caught:
        await over_grpc(client, text)
    assert [violation.field for violation in caught.value.violations] == ["data.text"]


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 400), ("x" * 2001, 400), ("salam \0 khoya", 400), ("\ud800 salam", 400), ("x" * 1_048_576, 413)],
)
async def test_rest_refuses_the_same_and_what_is_no_text(
    http: httpx.AsyncClient, client: Client, text: str, status: int
) -> None:
    sent = client.rest(text=text)
    body = json.dumps(sent["json"])  # surrogates are escaped: `\ud800`
    headers = {**sent["headers"], "content-type": "application/json"}
    response = await http.post("/v1/nlu/analyze", content=body, headers=headers)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == "invalid_input"
    if status == 400:
        assert [detail["field"] for detail in error["details"]] == ["data.text"]
    assert "salam" not in response.text, "errors do not repeat what customers write"


async def test_bytes_that_are_no_unicode_are_refused_over_grpc(client: Client) -> None:
    call = client.process.socket.unary_unary("/salambot.nlu.v1.NLUService/Analyze")
    with pytest.raises(grpc.aio.AioRpcError):
        await call(b"\x12\x05\x0a\x03\xed\xa0\x80", metadata=client.metadata)
    assert (await client.analyze("salam")).intent == "greeting"


@pytest.mark.parametrize(
    "text",
    [" ", "\n\t\r", "\x01\x02\x1b[31msalam\x7f\u009f", "\ufeff\u200b", "س" * 2000, "👍🏽" * 1000, "e\u0301" * 1000, SCRIPTS,
     SCRIPTS[::-1] * 30, "\u0651" * 2000, "\U0010ffff", "a" + "\u0301" * 1999, "1" * 2000, "@" * 2000, "((((" * 500],
)  # fmt: skip
async def test_what_nobody_writes_has_a_sane_answer(analyze: Analyze, client: Client, text: str) -> None:
    analysis = await analyze(client, text)
    assert analysis.language != common.LANGUAGE_UNSPECIFIED
    assert analysis.masked_text == unicodedata.normalize("NFC", text) or analysis.masked_text == text
    assert not analysis.degraded


@pytest.fixture
async def selling(client: Client) -> Client:
    """A tenant with entity types of its own."""
    product = entity_types_pb2.EntityType(name="product", values=[entity_types_pb2.EntityValue(value="Box 4G")])
    code = entity_types_pb2.EntityType(name="code", patterns=[r"\d{2,}|.[^a-z]{3}"])
    member = entity_types_pb2.EntityType(name="member", patterns=[r"(?i)[a-z]{2}\d"], personal=True)
    for one in (product, code, member):
        await client.call("PutEntityType", entity_type=one)
    return client


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    before=st.lists(around, max_size=4),
    personal=st.lists(st.sampled_from([*PHONES, *EMAILS]), max_size=2),
    after=st.lists(around, max_size=4),
)
async def test_offsets_cut_every_text_exactly_and_no_number_or_address_is_left(
    selling: Client, stranger: Client, http: httpx.AsyncClient, before: list[str], personal: list[str], after: list[str]
) -> None:
    text = "\n".join([" ".join(before), *personal, " ".join(after)]) or "."
    for analyze, written in ((over_grpc, text), (over_rest(http), unicodedata.normalize("NFC", text))):
        for client in (selling, stranger):
            analysis = await analyze(client, written)
            _check(written, analysis)
            for one in personal:
                assert one not in analysis.masked_text


def _check(text: str, analysis: nlu_pb2.Analysis) -> None:
    for parts in (analysis.entities, analysis.spans):
        ends = [0, *(part.end for part in parts)]
        assert all(end <= part.start < part.end <= len(text) for end, part in zip(ends, parts, strict=False))
    assert all(text[span.start : span.end].strip() for span in analysis.spans)
    for entity in analysis.entities:
        cut = text[entity.start : entity.end]
        if entity.type == "phone":
            digits = "".join(filter(str.isdigit, ascii_digits(cut)))
            assert entity.value.removeprefix("+212").removeprefix("+") in digits
        elif entity.type == "email":
            assert entity.value == ascii_digits(cut).lower()
        elif entity.type == "code":
            assert entity.value == cut
            continue  # what a tenant's pattern takes may be blank
        assert cut.strip()
    # What stands masked is what is personal, and nothing else.
    masked, last = [], 0
    for entity in analysis.entities:
        if entity.personal:
            masked += [text[last : entity.start], f"[{entity.type}]"]
            last = entity.end
    assert analysis.masked_text == "".join([*masked, text[last:]])
