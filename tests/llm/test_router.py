"""The router before real servers on sockets: who answers when one drops, stalls, refuses or is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import pytest
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, PermissionDenied, SalamError, Timeout, UpstreamError
from servers.llm.adapters.extractive import Extractive
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Conversation, Finished, Model, Piece, Traits
from servers.llm.health import FAILURES
from servers.llm.router import Router
from servers.llm.selection import Policy
from servers.llm.templates import Templates
from tests.awaiting import read
from tests.llm.model_server import DONE, ModelServer, chunk, model_server
from tests.llm.upstreams import said

END = (chunk(finish="stop"), DONE)
QUICK = Traits("", first_token_s=0.3, silence_s=0.3)


@pytest.fixture
async def servers() -> AsyncIterator[list[ModelServer]]:
    """Two model servers, each of which says its name."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(model_server()) for _ in range(2)]
        for name, server in zip(("first", "second"), opened, strict=True):
            server.steps = (name, *END)
        yield opened


class Opened:
    """A router over servers, and the names of what it is made of."""

    def __init__(self, servers: list[ModelServer], traits: Traits = QUICK, last_resort: bool = False) -> None:
        names = ("first", "second")
        self.backends = [
            OpenAICompatible(
                replace(traits, name=name),
                server.url,
                models=[Model(name, prompt_price=1, completion_price=2), Model("shared", auto=False)],
            )
            for name, server in zip(names, servers, strict=True)
        ]
        last = [Extractive(Templates.built_in(), _nobody)] if last_resort else []
        self.router = Router([*self.backends, *last])

    async def ask(
        self, model: str = "auto", policy: Policy | None = None, conversation: Conversation | None = None
    ) -> Any:
        """The text of the reply, and its end."""
        conversation = conversation or said("?")
        conversation.data.model = model
        chain = await self.router.choose(conversation, policy)
        *deltas, finished = await read(self.router.write(conversation, chain))
        assert isinstance(finished, Finished)
        return "".join(delta.text for delta in deltas), finished


async def _nobody(text: str) -> int:
    raise UpstreamError("down")


@pytest.fixture
async def opened(servers: list[ModelServer]) -> AsyncIterator[Opened]:
    opened = Opened(servers)
    yield opened
    for backend in opened.backends:
        await backend.close()


async def test_the_first_answers_and_is_named_and_priced(opened: Opened) -> None:
    text, finished = await opened.ask()
    assert (text, finished.model, finished.backend) == ("first", "first", "first")
    usage = finished.usage
    assert usage.cost_micros == usage.prompt_tokens + 2 * usage.completion_tokens > 0


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429},
        {"status": 400},
        {"steps": (b"data: {oops\n\n",)},
        {"steps": (ConnectionError,)},
        {"steps": (b'data: {"error": {"code": 429}}\n\n',)},
        {"steps": (600.0,)},
        {"thinks_s": 600.0},
    ],
    ids=str,
)
async def test_the_next_answers_when_one_fails_before_it_said_anything(
    opened: Opened, servers: list[ModelServer], fault: dict[str, Any]
) -> None:
    for name, value in fault.items():
        setattr(servers[0], name, value)
    assert (await opened.ask())[0] == "second"
    if fault.keys() & {"thinks_s"} or fault.get("steps") == (600.0,):
        await asyncio.wait_for(servers[0].gone.wait(), 5)  # what was given up is cancelled there too


@pytest.mark.parametrize(
    ("fault", "error"),
    [(ConnectionError, UpstreamError), (b"data: {oops\n\n", UpstreamError), (600.0, Timeout)],
    ids=["drops", "garbage", "stalls"],
)
async def test_half_a_reply_is_an_error(
    opened: Opened, servers: list[ModelServer], fault: Any, error: type[SalamError]
) -> None:
    servers[0].steps = ("half ", 0.05, fault)
    conversation, heard = said("?"), list[Piece]()
    with pytest.raises(error):
        await read(opened.router.write(conversation, await opened.router.choose(conversation)), heard)
    assert heard == [chat_pb2.ChatDelta(text="half ")]
    assert not servers[1].requests


async def test_nobody_answers(opened: Opened, servers: list[ModelServer]) -> None:
    servers[0].status, servers[1].status = 500, 503
    with pytest.raises(UpstreamError, match="503"):
        await opened.ask()


async def test_a_server_that_fails_is_left_alone_and_asked_again_when_it_has_had_time(
    opened: Opened, servers: list[ModelServer]
) -> None:
    servers[0].status = 500
    for _ in range(FAILURES + 5):
        assert (await opened.ask())[0] == "second"
    assert len(servers[0].requests) == FAILURES
    servers[0].status = 200
    await asyncio.sleep(1.05)
    servers[1].status = 500
    assert (await opened.ask())[0] == "first"
    assert (await opened.ask())[0] == "first"


async def test_one_probe_while_many_call(opened: Opened, servers: list[ModelServer]) -> None:
    servers[0].status = 500
    for _ in range(FAILURES):
        await opened.ask("shared")
    servers[0].status, servers[0].thinks_s = 200, 0.2
    servers[1].status = 500
    await asyncio.sleep(1.05)
    results = await asyncio.gather(*(opened.ask("shared") for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert len(servers[0].requests) == FAILURES + 1


async def test_it_waits_as_long_as_a_server_asks_for(opened: Opened, servers: list[ModelServer]) -> None:
    servers[0].status, servers[0].status_headers = 429, {"retry-after": "20"}
    await opened.ask()
    await opened.ask()
    assert len(servers[0].requests) == 1
    with pytest.raises(UpstreamError) as caught:
        await opened.ask("first")
    assert caught.value.retry_after == pytest.approx(20, abs=1)


async def test_a_refused_conversation_says_nothing_of_a_servers_health(
    opened: Opened, servers: list[ModelServer]
) -> None:
    servers[0].status = 400
    for _ in range(FAILURES + 1):
        with pytest.raises(InvalidInput):
            await opened.ask("first")
    assert len(servers[0].requests) == FAILURES + 1


async def test_a_caller_that_goes_away_is_no_failure_and_is_seen_to_go(
    opened: Opened, servers: list[ModelServer]
) -> None:
    servers[0].steps = ("half ", 600.0)
    for _ in range(FAILURES + 1):
        servers[0].gone.clear()
        conversation = said("?")
        chain = await opened.router.choose(conversation)
        async with aclosing(opened.router.write(conversation, chain)) as pieces:
            await anext(pieces)
            left = time.monotonic()
        await asyncio.wait_for(servers[0].gone.wait(), 5)
        assert time.monotonic() - left < 0.1
    servers[0].steps = ("first", *END)
    assert (await opened.ask())[0] == "first"
    assert all(deployment.health.in_flight == 0 for deployment in chain)


async def test_a_model_of_two_servers_goes_to_the_one_that_is_quicker_and_free(
    opened: Opened, servers: list[ModelServer]
) -> None:
    servers[0].thinks_s = 0.15
    texts = [(await opened.ask("shared"))[0] for _ in range(6)]
    assert texts == ["first", "second", "second", "second", "second", "second"]


async def test_names_and_policies(opened: Opened) -> None:
    assert (await opened.ask("second"))[0] == "second"
    assert (await opened.ask(policy=Policy(allowed=frozenset({"second"}))))[0] == "second"
    with pytest.raises(PermissionDenied):
        await opened.ask("first", Policy(allowed=frozenset({"second"})))
    with pytest.raises(InvalidInput) as caught:
        await opened.ask("third")
    assert [violation.field for violation in caught.value.violations] == ["data.model"]


async def test_hedging(servers: list[ModelServer]) -> None:
    opened = Opened(servers, Traits("", hedged=True))
    for _ in range(20):
        assert (await opened.ask())[0] == "first"
    servers[0].steps = (600.0,)
    began = time.monotonic()
    assert (await opened.ask())[0] == "second"
    assert time.monotonic() - began < 5
    await asyncio.wait_for(servers[0].gone.wait(), 5)
    for status in (200, 500):  # a second that is no quicker, or fails, does no harm
        servers[1].status, servers[1].thinks_s = status, 0.3
        servers[0].thinks_s, servers[0].steps = 0.15, ("first", *END)
        assert (await opened.ask())[0] == "first"
    for backend in opened.backends:
        await backend.close()


async def test_the_last_resort_answers_when_all_fail_and_never_waits(servers: list[ModelServer]) -> None:
    opened = Opened(servers, last_resort=True)
    for server in servers:
        server.status = 500
    assert (await opened.ask())[1].model == "extractive"
    assert (await opened.ask(policy=Policy(allowed=frozenset())))[1].model == "extractive"
    forced = said("?")
    forced.data.tools.add(name="find")
    forced.data.tool_mode = chat_pb2.TOOL_MODE_REQUIRED
    with pytest.raises(UpstreamError):  # it cannot call a tool: an error is better than a text
        await opened.ask(conversation=forced)
    for backend in opened.backends:
        await backend.close()


async def test_models_are_asked_for_once_by_many(servers: list[ModelServer]) -> None:
    backend = OpenAICompatible(Traits("x"), servers[0].url)
    servers[0].steps = ("yes", *END)
    router = Router([backend])
    await asyncio.gather(*(router.choose(said("?")) for _ in range(10)))
    assert servers[0].listed == 1
    await backend.close()
