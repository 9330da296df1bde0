"""Replies without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import UpstreamError
from servers.llm.adapters.extractive import MOST_CHARACTERS, Extractive, shorten
from servers.llm.backend import Conversation, Finished, LanguageOf, Passage, Prompt
from servers.llm.instructions import conversation_of
from servers.llm.templates import Templates, word_of

LANGUAGES = [value for value in envelope_pb2.Language.values() if value]
FR, AR, EN = envelope_pb2.LANGUAGE_FR, envelope_pb2.LANGUAGE_AR, envelope_pb2.LANGUAGE_EN
TEMPLATES = Templates.built_in()


async def nobody_knows(text: str) -> int:
    """Tells no language: the reader is down."""
    raise UpstreamError("down")


async def english(text: str) -> int:
    return EN


async def reply_to(conversation: Conversation, language_of: LanguageOf = nobody_knows) -> tuple[str, Finished]:
    """The text of a reply, and its end."""
    backend = Extractive(TEMPLATES, language_of)
    [model] = await backend.models()
    *deltas, finished = [piece async for piece in backend.write(conversation, model)]
    assert isinstance(finished, Finished)
    return "".join(delta.text for delta in deltas), finished


async def written(prompt: Prompt) -> tuple[str, Finished]:
    return await reply_to(conversation_of(prompt, "auto"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", ["greeting", "thanks", "human_agent", "no_answer", "cannot_look_up", "out_of_scope"])
async def test_a_text_for_each_intent_and_language(intent: str, language: int) -> None:
    text, finished = await written(Prompt("…", language, intent=intent))
    assert text == TEMPLATES.find(Prompt("…", language), intent)
    arabic = any("\u0600" <= letter <= "\u06ff" for letter in text)
    assert arabic == (language in (AR, envelope_pb2.LANGUAGE_DARIJA_ARABIC))
    assert (finished.used, finished.confidence) == ((), 0.9)
    assert finished.usage.completion_tokens > 0


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_passage_in_the_customers_language_is_quoted_as_it_is(language: int) -> None:
    text, finished = await written(Prompt("?", language, passages=[Passage("Un. Deux.", 0.7, language)]))
    assert text == "Un. Deux."
    assert (finished.used, finished.confidence) == ((0,), 0.7)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_passage_in_another_language_is_announced(language: int) -> None:
    other = AR if language == FR else FR
    text, _ = await written(Prompt("?", language, passages=[Passage("Un. Deux.", 0.7, other)]))
    preface, quoted = text.split("\n")
    assert quoted == "Un. Deux."
    assert preface == TEMPLATES.find(Prompt("?", language), "other_language")


async def test_a_passage_of_an_unknown_language_is_not_announced() -> None:
    assert (await written(Prompt("?", EN, passages=[Passage("Un.", 0.7, 0)])))[0] == "Un."


async def test_without_a_passage_or_a_text_of_its_own_it_says_so() -> None:
    text, _ = await written(Prompt("?", FR, intent="billing_view"))
    assert text == TEMPLATES.find(Prompt("?", FR), "no_answer")
    unknown, _ = await written(Prompt("?", 0))
    assert unknown == text  # French, where the language is not known


async def test_a_conversation_has_no_passages_and_is_told_so_in_its_language() -> None:
    data = chat_pb2.ChatInput(model="auto")
    data.messages.add(role=chat_pb2.CHAT_ROLE_SYSTEM).content.add(text="You are a poet.")
    data.messages.add(role=chat_pb2.CHAT_ROLE_USER).content.add(text="Write a poem.")
    data.messages.add(role=chat_pb2.CHAT_ROLE_TOOL, tool_call_id="1").content.add(text="…")
    text, finished = await reply_to(Conversation(data), english)
    assert text == TEMPLATES.find(Prompt("?", EN), "no_answer")
    assert finished.usage.prompt_tokens > 0
    assert (await reply_to(Conversation(data)))[0] == TEMPLATES.find(Prompt("?", FR), "no_answer")  # whatever is down
    assert (await reply_to(Conversation(chat_pb2.ChatInput())))[0]


async def test_a_tenants_own_text_comes_first() -> None:
    own = {"greeting": {"fr": "Bienvenue chez Atlas !", "en": ""}}
    assert (await written(Prompt("?", FR, intent="greeting", templates=own)))[0] == "Bienvenue chez Atlas !"
    assert "Hello" in (await written(Prompt("?", EN, intent="greeting", templates=own)))[0]


@pytest.mark.parametrize("empty", ["", "  \n ", "# Seulement un titre"])
async def test_a_passage_that_says_nothing_is_passed_over(empty: str) -> None:
    passages = [Passage(empty, 0.9, FR), Passage("Payez en agence.", 0.6, FR)]
    text, finished = await written(Prompt("?", FR, passages=passages))
    assert (text, finished.used, finished.confidence) == ("Payez en agence.", (1,), 0.6)
    assert (await written(Prompt("?", FR, passages=passages[:1])))[0] == TEMPLATES.find(Prompt("?", FR), "no_answer")


def test_every_text_is_there_in_every_language() -> None:
    for intent, texts in TEMPLATES._texts.items():
        assert set(texts) == {word_of(language) for language in LANGUAGES}, intent
        assert all(texts.values()), intent


def test_whole_sentences_are_kept() -> None:
    text = "# Facture\n\n" + " ".join(f"Phrase numéro {number}." for number in range(100))
    short = shorten(text)
    assert len(short) <= MOST_CHARACTERS
    assert short.startswith("Phrase numéro 0. Phrase numéro 1.")
    assert short.endswith(".")
    assert short in text


@pytest.mark.parametrize("end", ["؟", "!", ".", "؛", "۔"])
def test_arabic_sentences_end_too(end: str) -> None:
    sentence = "يمكنك أداء الفاتورة عبر التطبيق" + end
    short = shorten(" ".join([sentence] * 50))
    assert short == " ".join([sentence] * (MOST_CHARACTERS // (len(sentence) + 1)))


def test_one_long_sentence_is_kept_whole() -> None:
    assert shorten("mot " * 500) == ("mot " * 500).strip()


def test_figures_are_not_cut() -> None:
    assert shorten("Le tarif est de 99.50 dirhams. Voilà.") == "Le tarif est de 99.50 dirhams. Voilà."


@given(st.text(max_size=2000))
def test_shorten_takes_any_text_and_invents_nothing(text: str) -> None:
    short = shorten(text)
    assert set(short) <= set(text) | {" "}
    assert len(short) <= len(text)
