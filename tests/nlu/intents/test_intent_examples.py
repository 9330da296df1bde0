"""Examples over the wire: kept once, masked, listed in order, nobody else's."""

from __future__ import annotations

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import intents_pb2

from servers.kit.errors import InvalidInput, SalamError
from servers.nlu.intents import limits
from tests.nlu.installation import Client
from tests.nlu.intents.wordings import wordings


def example(text: str, intent: str = "parking") -> intents_pb2.IntentExample:
    return intents_pb2.IntentExample(text=text, intent=intent)


async def test_the_same_example_is_kept_once_and_a_second_tenant_sees_none(client: Client, stranger: Client) -> None:
    examples = wordings("parking", "birthday")
    first = await client.put(examples)
    assert (first.added, first.total) == (len(examples), len(examples))
    again = await client.put([*examples, example("Wach kayn parking ?")])
    assert (again.added, again.total) == (1, len(examples) + 1)

    assert (await stranger.page()).total == 0
    ids = [one.id for one in (await client.page(page_size=200)).examples]
    assert (await stranger.call("DeleteIntentExamples", ids=ids)).deleted == 0
    assert (await stranger.call("DeleteIntentExamples", all=True)).deleted == 0
    assert (await client.page()).total == again.total


async def test_pages_hold_every_example_once_by_intent_and_text(client: Client) -> None:
    # Texts that begin alike, and such as make a page token as long as it gets.
    alike = [example(f"{'é' * 40} {number}", "a" * 100) for number in range(9)]
    odd = [example("\x01" * 28 + f'"{number}', "b" * 100) for number in range(9)]
    await client.put([*wordings(), *alike, *odd])
    found, token = [], ""
    while True:
        page = await client.page(page_size=7, page_token=token)
        found += page.examples
        token = page.next_page_token
        assert page.total == len(wordings()) + 18
        assert len(token) <= 512
        if not token:
            break
    keys = [(one.intent, one.text[:30], one.id) for one in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) == page.total

    only = await client.page(intent="parking", page_size=200)
    assert {one.intent for one in only.examples} == {"parking"}
    assert only.total == len(only.examples) == len(wordings("parking"))


async def test_personal_data_are_masked_and_the_language_is_read(client: Client) -> None:
    await client.put([example("Rappelez-moi au 0612345678 pour le parking"), example("واش كاين باركينغ حداكم؟")])
    found = {one.text: one.language for one in (await client.page()).examples}
    assert found == {
        "Rappelez-moi au [phone] pour le parking": envelope_pb2.LANGUAGE_FR,
        "واش كاين باركينغ حداكم؟": envelope_pb2.LANGUAGE_DARIJA_ARABIC,
    }
    # With another number it is the same example: nothing of the number is in its identifier.
    assert (await client.put([example("Rappelez-moi au 0698765432 pour le parking")])).added == 0


async def test_a_language_that_is_given_stays_and_text_is_composed(client: Client) -> None:
    given = example("re\u0301servation")
    given.language = envelope_pb2.LANGUAGE_EN
    await client.put([given])
    (found,) = (await client.page()).examples
    assert (found.text, found.language) == ("réservation", envelope_pb2.LANGUAGE_EN)


async def test_examples_are_removed_by_id_by_intent_or_all(client: Client) -> None:
    await client.put(wordings())
    ids = [one.id for one in (await client.page(intent="birthday", page_size=3)).examples]
    assert (await client.call("DeleteIntentExamples", ids=[*ids, "unknown"])).deleted == 3
    assert (await client.call("DeleteIntentExamples", ids=ids)).deleted == 0
    assert (await client.call("DeleteIntentExamples", intent="parking")).deleted == len(wordings("parking"))
    assert (await client.call("DeleteIntentExamples", all=True)).deleted == len(wordings()) - 3 - len(
        wordings("parking")
    )
    assert (await client.page()).total == 0


@pytest.mark.parametrize("asked", [{}, {"ids": ["x"], "all": True}, {"ids": ["x"], "intent": "parking"}])
async def test_removing_takes_exactly_one_way_to_name_examples(client: Client, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="exactly one"):
        await client.call("DeleteIntentExamples", **asked)


async def test_what_is_no_example_is_refused_with_its_place_and_nothing_is_kept(client: Client) -> None:
    bad = [example("\u00a0 \n"), example("x" * 2001), example(""), example("x", ""), example("x", "two words")]
    for one in bad:
        with pytest.raises(InvalidInput) as refusal:
            await client.put([example("Wach kayn parking ?"), one])
        assert refusal.value.violations[0].field.startswith("data.examples[1].")
    assert (await client.page()).total == 0


async def test_a_tenant_has_only_so_many_examples_and_intents(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.put(wordings("parking"))
    monkeypatch.setattr(limits, "MOST_EXAMPLES", 20)
    with pytest.raises(InvalidInput, match="at most 20 examples"):
        await client.put(wordings("birthday"))
    monkeypatch.setattr(limits, "MOST_INTENTS", 1)
    with pytest.raises(InvalidInput, match="of 1 intents"):
        await client.put([example("x", "other")])
    assert (await client.page()).total == len(wordings("parking"))


@pytest.mark.parametrize("token", ["x", "WyJhIl0=", "WyIxIDIiXQ=="])
async def test_page_tokens_of_others_are_refused(client: Client, token: str) -> None:
    for name in ("ListIntentExamples", "ListIntentVersions"):
        with pytest.raises(SalamError, match="page token"):
            await client.call(name, page_token=token)
