"""Which models are tried, and in what order."""

from __future__ import annotations

from typing import Any

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

from servers.llm.backend import Conversation, Model, Passage, Prompt, Traits
from servers.llm.health import Health
from servers.llm.instructions import MOST_TOKENS, conversation_of, fitted
from servers.llm.selection import Demands, Deployment, Policy, Preferred, ranked
from servers.llm.tokens import count_chat
from tests.llm.upstreams import said

FR, AR = envelope_pb2.LANGUAGE_FR, envelope_pb2.LANGUAGE_AR


class Listed:
    """A backend that only stands in a list."""

    def __init__(self, name: str, last_resort: bool = False) -> None:
        self.traits = Traits(name, last_resort=last_resort)


def deployment(name: str, *, last_resort: bool = False, **model: Any) -> Deployment:
    backend: Any = Listed(name, last_resort)
    return Deployment(backend, Model(name, **model), Health())


def order(conversation: Conversation, policy: Policy | None = None, *, among: list[Deployment]) -> list[str]:
    return [item.model.name for item in ranked(among, Demands(conversation), policy or Policy())]


def prompt(language: int = FR, passages: int = 1, words: int = 5) -> Conversation:
    texts = [Passage("mot " * words, 0.5, FR)] * passages
    return conversation_of(Prompt("Où ?", language, passages=texts), "auto")


def test_as_listed_and_the_last_resort_last() -> None:
    among = [deployment("z", last_resort=True), deployment("b"), deployment("a"), deployment("c", auto=False)]
    assert order(said("?"), among=among) == ["b", "a", "z"]


@pytest.mark.parametrize(("prefer", "expected"), [("order", "dear"), ("cost", "cheap"), ("latency", "quick")])
def test_what_a_tenant_prefers(prefer: Preferred, expected: str) -> None:
    dear, cheap = deployment("dear", completion_price=9), deployment("cheap", prompt_price=0.1)
    quick = deployment("quick", completion_price=3)
    for item, seconds in ((dear, 0.5), (cheap, 0.9), (quick, 0.1)):
        item.health.latency.observe(seconds)
    assert order(prompt(), Policy(prefer=prefer), among=[dear, cheap, quick])[0] == expected


def test_what_a_tenant_may_not_use_or_not_pay_is_left_out_but_never_the_last_resort() -> None:
    among = [deployment("a", completion_price=2), deployment("b"), deployment("z", last_resort=True)]
    assert order(prompt(), Policy(allowed=frozenset({"a"})), among=among) == ["a", "z"]
    assert order(prompt(), Policy(allowed=frozenset()), among=among) == ["z"]
    assert order(prompt(), Policy(most_cost=2 * MOST_TOKENS - 1), among=among) == ["b", "z"]


def test_a_model_that_failed_comes_after_those_that_did_not() -> None:
    among = [deployment("a"), deployment("b"), deployment("z", last_resort=True)]
    among[0].health.breaker.fail(among[0].health.breaker.enter(), retry_after=5)
    assert order(said("?"), among=among) == ["b", "a", "z"]


def test_the_language_of_a_prompt() -> None:
    among = [deployment("french", languages=frozenset({FR})), deployment("any"), deployment("z", last_resort=True)]
    assert order(prompt(FR), among=among) == ["french", "any", "z"]
    assert order(prompt(AR), among=among) == ["any", "french", "z"]
    assert order(said("?"), among=among) == ["french", "any", "z"]


def test_what_is_beyond_text_is_not_asked_of_models_of_text() -> None:
    among = [deployment("text", text_only=True), deployment("full"), deployment("vectors", embeds=True)]
    tools, forced, json, picture = said("?"), said("?"), said("?"), said("?")
    for conversation in (tools, forced):
        conversation.data.tools.add(name="find")
    forced.data.tool_mode = chat_pb2.TOOL_MODE_REQUIRED
    json.data.response_format.type = "json_object"
    picture.data.messages[0].content.add(image_url="https://example.com/a.png")
    assert order(said("?"), among=among) == ["text", "full"]
    assert order(tools, among=among) == ["full", "text"]  # it may well call none
    for conversation in (forced, json, picture):
        assert order(conversation, among=among) == ["full"]
    tools.data.tool_mode = chat_pb2.TOOL_MODE_NONE
    assert order(tools, among=among) == ["text", "full"]


def test_a_conversation_longer_than_a_window_goes_to_a_wider_one_and_a_prompt_is_fitted() -> None:
    among = [deployment("narrow", window=700), deployment("wide", window=100_000)]
    assert order(said("mot " * 50), among=among) == ["narrow", "wide"]
    assert order(said("mot " * 1000), among=among) == ["wide"]
    assert order(prompt(words=1000), among=among) == ["narrow", "wide"]


@pytest.mark.parametrize("window", [600, 800, 1_200, 2_000, 100_000])
def test_a_fitted_prompt_keeps_the_best_passages_and_their_numbers(window: int) -> None:
    texts = [Passage(f"passage{number} " * 100, 0.5, FR) for number in range(10)]
    whole = conversation_of(Prompt("Où ?", FR, passages=texts), "auto")
    short = fitted(whole, window)
    assert short.prompt is not None
    assert list(short.prompt.passages) == texts[: len(short.prompt.passages)]
    assert short.data.messages[-1].content[0].text == "Où ?"
    kept = len(short.prompt.passages)
    assert ('<passage n="1">' in short.data.messages[0].content[0].text) == (kept > 0)
    if kept:
        assert count_chat(short.data) + MOST_TOKENS <= window
    if kept < len(texts):
        one_more = conversation_of(Prompt("Où ?", FR, passages=texts[: kept + 1]), "auto")
        assert count_chat(one_more.data) + MOST_TOKENS > window - 10  # a joint is counted a little differently alone


def test_a_conversation_of_the_callers_own_is_never_cut() -> None:
    conversation = said("mot " * 1000)
    assert fitted(conversation, 100) is conversation
