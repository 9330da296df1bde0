from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salambot.common.v1 import envelope_pb2 as common
from salambot.nlu.v1 import nlu_pb2

from servers.kit.text.masking import Policy, masking_key
from servers.kit.text.policy import MASK_ALL, Masking
from servers.nlu.conditions import Conditions
from servers.nlu.intents.reading import LEAST_CONFIDENCE
from servers.nlu.labels import Labels
from servers.nlu.reader import UNKNOWN, Reader


async def read(reader: Reader, *texts: str, **conditions: Any) -> list[nlu_pb2.Analysis]:
    return await reader.read([nlu_pb2.AnalyzeInput(text=text) for text in texts], Conditions(**conditions))


async def test_the_message_of_the_contract(reader: Reader) -> None:
    (analysis,) = await read(reader, "salam 3afak fin n9der nshouf la facture ?")
    assert analysis.language == common.LANGUAGE_DARIJA_ARABIZI
    assert analysis.intent == "billing_view"
    assert analysis.confidence >= LEAST_CONFIDENCE
    assert analysis.sentiment == common.SENTIMENT_NEUTRAL
    assert analysis.urgency == common.URGENCY_LOW
    assert not analysis.degraded


@pytest.mark.parametrize(
    ("text", "language", "intent"),
    [
        ("Je veux annuler ma commande", common.LANGUAGE_FR, "cancel_order"),
        ("Where is my order?", common.LANGUAGE_EN, "order_status"),
        ("أين يمكنني الاطلاع على فاتورتي؟", common.LANGUAGE_AR, "billing_view"),
        ("شكون نتا واش روبو؟", common.LANGUAGE_DARIJA_ARABIC, "bot_identity"),
        ("wach kayn chi wahed nhder m3ah", common.LANGUAGE_DARIJA_ARABIZI, "human_agent"),
        ("what's the weather like in Rabat", common.LANGUAGE_EN, "out_of_scope"),
    ],
)
async def test_each_language_is_read(reader: Reader, text: str, language: common.Language, intent: str) -> None:
    (analysis,) = await read(reader, text)
    assert (analysis.language, analysis.intent) == (language, intent)


async def test_anger_and_harm_are_seen(reader: Reader) -> None:
    angry, stolen = await read(
        reader, "khdma 3yana, hchouma 3likom, 3yit m3akom", "On m'a volé ma carte bancaire, bloquez-la vite !!"
    )
    assert angry.sentiment == common.SENTIMENT_NEGATIVE
    assert stolen.urgency == common.URGENCY_HIGH


async def test_a_batch_reads_as_one_by_one(reader: Reader) -> None:
    texts = [f"commande {number} fin wslat" for number in range(100)]
    together = await read(reader, *texts)
    (alone,) = await read(reader, texts[70])
    assert len(together) == len(texts)
    assert together[70].intent == alone.intent
    assert together[70].confidence == pytest.approx(alone.confidence, abs=1e-3)
    assert together[70].entities == alone.entities


async def test_nonsense_is_unknown_and_says_what_came_nearest(reader: Reader) -> None:
    (analysis,) = await read(reader, "xq zzv 77")
    assert analysis.intent == UNKNOWN
    assert analysis.confidence < LEAST_CONFIDENCE
    assert analysis.alternatives[0].confidence == pytest.approx(analysis.confidence)


async def test_a_hint_decides_where_the_text_does_not(reader: Reader) -> None:
    plain, hinted, contradicted = await reader.read(
        [
            nlu_pb2.AnalyzeInput(text="salam"),
            nlu_pb2.AnalyzeInput(text="salam", lang=common.LANGUAGE_DARIJA_ARABIZI),
            nlu_pb2.AnalyzeInput(text="Je veux annuler ma commande", lang=common.LANGUAGE_AR),
        ]
    )
    assert hinted.language == common.LANGUAGE_DARIJA_ARABIZI
    assert hinted.language_confidence >= plain.language_confidence
    assert contradicted.language == common.LANGUAGE_FR


async def test_masking_follows_the_policy(reader: Reader) -> None:
    text = "mon email amina@mail.ma"
    hashing = Masking(Policy.HASH, masking_key(b"secret", "demo"))
    for masking, expected in ((MASK_ALL, "mon email [email]"), (Masking(Policy.KEEP), text)):
        (analysis,) = await read(reader, text, masking=masking)
        assert analysis.masked_text == expected
    (analysis,) = await read(reader, text, masking=hashing)
    assert "amina" not in analysis.masked_text


async def test_rules_answer_when_the_models_do_not(rules_reader: Reader) -> None:
    french, arabizi, darija, english, arabic = await read(
        rules_reader,
        "Bonjour, où puis-je consulter ma facture ?",
        "salam 3afak fin n9der nshouf la facture ?",
        "بغيت نحبس لابونمون ديالي",
        "someone used my card, this is fraud, call 0612345678",
        "أريد استرداد المبلغ من فضلكم",
    )
    analyses = (french, arabizi, darija, english, arabic)
    assert all(analysis.degraded for analysis in analyses)
    assert [analysis.language for analysis in analyses] == [
        common.LANGUAGE_FR,
        common.LANGUAGE_DARIJA_ARABIZI,
        common.LANGUAGE_DARIJA_ARABIC,
        common.LANGUAGE_EN,
        common.LANGUAGE_AR,
    ]
    assert [analysis.intent for analysis in analyses] == [
        "billing_view",
        "billing_view",
        "cancel_subscription",
        "fraud_report",
        "refund_request",
    ]
    assert english.urgency == common.URGENCY_HIGH
    assert english.masked_text.endswith("call [phone]")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
async def test_whatever_is_written_is_read(reader: Reader, rules_reader: Reader, labels: Labels, text: str) -> None:
    for subject in (reader, rules_reader):
        (analysis,) = await read(subject, text)
        assert analysis.intent in (*labels.intents, UNKNOWN)
        assert 0 <= analysis.confidence <= 1
        assert analysis.language != common.LANGUAGE_UNSPECIFIED
        assert all(text[entity.start : entity.end] for entity in analysis.entities)


@pytest.mark.parametrize(
    "text", ["0612345678", "driss@a.ma 0612345678", "😡😡", "???", "1234 5678", "https://shop.example/a"]
)
async def test_a_message_without_words_says_nothing(reader: Reader, text: str) -> None:
    (analysis,) = await read(reader, text, otherwise=common.LANGUAGE_AR)
    assert (analysis.language, analysis.language_confidence) == (common.LANGUAGE_AR, 0)
    assert (analysis.intent, analysis.confidence) == (UNKNOWN, 0)
    assert analysis.sentiment == common.SENTIMENT_NEUTRAL


async def test_a_word_beside_a_number_is_read(reader: Reader) -> None:
    (analysis,) = await read(reader, "0612345678 chokran")
    assert analysis.language == common.LANGUAGE_DARIJA_ARABIZI
    assert analysis.intent == "thanks"
