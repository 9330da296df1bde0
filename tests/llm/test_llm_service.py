"""LLMService over the kit's channel: which backend answers, and what is told of it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import llm_pb2, llm_service_pb2

from servers.kit.errors import InvalidInput, UpstreamError
from servers.kit.platform import Platform
from servers.kit.telemetry import DEGRADED
from servers.llm import tokens
from tests.awaiting import read
from tests.llm.conftest import Reads
from tests.llm.model_server import DONE, ModelServer, chunk, usage

FR = envelope_pb2.LANGUAGE_FR


def asked(prompt: str = "Où est ma facture ?", **data: Any) -> llm_service_pb2.GenerateRequest:
    given = {"language": FR, "context": ["Dans l'espace client."], "scores": [0.8], "languages": [FR], **data}
    return llm_service_pb2.GenerateRequest(data=llm_pb2.GenerateInput(prompt=prompt, **given))


def streamed(request: llm_service_pb2.GenerateRequest) -> llm_service_pb2.StreamGenerateRequest:
    return llm_service_pb2.StreamGenerateRequest(data=request.data)


async def test_the_model_answers(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans l'espace ", "client.", chunk(finish="stop"), usage(9), DONE)
    generation = (await llm.Generate(asked())).data
    assert generation.reply_text == "Dans l'espace client."
    assert (generation.model_used, generation.tokens, generation.language) == ("llama3-8b", 9, FR)
    assert generation.confidence == pytest.approx(0.64)
    assert list(generation.used_context) == [0]


async def test_pieces_then_the_whole(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans l'espace ", 0.05, "client.", chunk(finish="stop"), DONE)
    events = [reply.data async for reply in llm.StreamGenerate(streamed(asked()))]
    assert [event.delta for event in events[:-1]] == ["Dans l'espace ", "client."]
    assert events[-1].generation.reply_text == "Dans l'espace client."


@pytest.mark.parametrize(
    ("status", "steps"),
    [(500, ()), (200, (b"data: {oops\n\n",)), (200, (ConnectionError,)), (200, (DONE,))],
)
async def test_the_extractive_backend_stands_in(
    llm: Any, models: ModelServer, status: int, steps: tuple[Any, ...]
) -> None:
    models.status, models.steps = status, steps
    before = DEGRADED.labels("llm", "openai")._value.get()
    generation = (await llm.Generate(asked())).data
    assert (generation.model_used, generation.reply_text) == ("extractive", "Dans l'espace client.")
    assert DEGRADED.labels("llm", "openai")._value.get() == before + 1


async def test_it_stands_in_for_a_server_that_stalls_within_the_callers_time(llm: Any, models: ModelServer) -> None:
    models.steps = (600.0,)
    generation = (await llm.Generate(asked(), timeout=1)).data
    assert generation.model_used == "extractive"


async def test_half_a_reply_is_an_error(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans ", 0.01, ConnectionError)
    heard: list[Any] = []
    with pytest.raises(UpstreamError):
        await read(llm.StreamGenerate(streamed(asked())), heard)
    assert [reply.data.delta for reply in heard] == ["Dans "]


async def test_leaving_a_stream_stops_the_model(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans ", 600.0)
    async with aclosing(llm.StreamGenerate(streamed(asked()))) as replies:
        await anext(replies)
    await asyncio.wait_for(models.gone.wait(), 5)


async def test_a_model_by_name(llm: Any, models: ModelServer) -> None:
    models.steps = ("Oui.", chunk(finish="stop"), DONE)
    assert (await llm.Generate(asked(model="tiny"))).data.model_used == "tiny"
    assert (await llm.Generate(asked(model="extractive"))).data.model_used == "extractive"
    with pytest.raises(InvalidInput) as caught:
        await llm.Generate(asked(model="gpt-7"))
    assert [violation.field for violation in caught.value.violations] == ["data.model"]


async def test_a_named_model_has_nobody_to_stand_in(llm: Any, models: ModelServer) -> None:
    models.status = 500
    with pytest.raises(UpstreamError):
        await llm.Generate(asked(model="tiny"))


async def test_extractive_by_name_does_not_wait_for_the_model_server(llm: Any, models: ModelServer) -> None:
    await llm.Generate(asked(model="extractive"))
    assert models.listed == 0


async def test_a_prompt_that_is_too_long(llm: Any, models: ModelServer) -> None:
    models.steps = ("Oui.", chunk(finish="stop"), DONE)
    await llm.Generate(asked("mot " * tokens.MOST_IN_PROMPT))
    for call in (llm.Generate(asked("mot " * (tokens.MOST_IN_PROMPT + 1))), llm.Generate(asked("x" * 40_001))):
        with pytest.raises(InvalidInput) as caught:
            await call
        assert [violation.field for violation in caught.value.violations] == ["data.prompt"]


async def test_the_language_is_found_out_when_it_is_not_given(llm: Any, models: ModelServer, nlu: Reads) -> None:
    request = asked("Where is my bill?", model="extractive", context=[], scores=[], languages=[], intent="greeting")
    request.data.ClearField("language")
    generation = (await llm.Generate(request)).data
    assert generation.language == envelope_pb2.LANGUAGE_EN
    assert generation.reply_text.startswith("Hello")
    assert nlu.texts == ["Where is my bill?"]


async def test_a_tenants_own_texts(llm: Any, base_platform: Platform, tenant: str) -> None:
    own = {"response_templates": {"greeting": {"fr": "Bienvenue chez Atlas !"}}}
    await base_platform.tenants.put(tenant, name="Atlas", locale="fr-MA", settings=own)
    request = asked("bonjour", model="extractive", context=[], scores=[], languages=[], intent="greeting")
    assert (await llm.Generate(request)).data.reply_text == "Bienvenue chez Atlas !"


@pytest.mark.parametrize(
    "extra", [{"scores": []}, {"languages": []}, {"scores": [0.8, 0.7, 0.6], "languages": [FR] * 4}]
)
async def test_scores_and_languages_need_not_match_the_passages(llm: Any, extra: dict[str, Any]) -> None:
    generation = (await llm.Generate(asked(model="extractive", **extra))).data
    assert generation.reply_text == "Dans l'espace client."
    assert list(generation.used_context) == [0]


async def test_models_are_listed_by_name_and_backend(llm: Any) -> None:
    models = (await llm.ListModels(llm_service_pb2.ListModelsRequest(data={}))).data.models
    assert [(model.id, model.backend, model.available) for model in models] == [
        ("llama3-8b", "openai", True),
        ("tiny", "openai", True),
        ("extractive", "extractive", True),
        ("salambot-encoder", "encoder", True),
    ]


async def test_a_backend_out_of_reach_is_listed_as_such(llm: Any, models: ModelServer) -> None:
    models.models_status = 500
    found = (await llm.ListModels(llm_service_pb2.ListModelsRequest(data={}))).data.models
    assert [(model.id, model.backend, model.available) for model in found] == [
        ("auto", "openai", False),
        ("extractive", "extractive", True),
        ("salambot-encoder", "encoder", True),
    ]
