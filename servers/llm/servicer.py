"""LLMService: the RPCs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import zip_longest

from salambot.common.v1 import envelope_pb2, event_pb2
from salambot.llm.v1 import llm_pb2, llm_service_pb2, llm_service_pb2_grpc
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.call import current
from servers.kit.errors import InvalidInput, Violation
from servers.kit.events import Events
from servers.kit.platform import Platform
from servers.kit.tenants import Tenants
from servers.llm import tokens
from servers.llm.adapters.extractive import Extractive
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Backend, Exchange, Finished, Language, Passage, Prompt
from servers.llm.router import Router
from servers.llm.templates import Templates


class LLMService(llm_service_pb2_grpc.LLMServiceServicer):
    """Writes replies. Nothing is stored."""

    def __init__(
        self, router: Router, tenants: Tenants, events: Events, nlu: nlu_service_pb2_grpc.NLUServiceAsyncStub
    ) -> None:
        self._router = router
        self._tenants = tenants
        self._events = events
        self._nlu = nlu

    async def Generate(
        self, request: llm_service_pb2.GenerateRequest, context: object
    ) -> llm_service_pb2.GenerateResponse:
        """See the contract."""
        async with aclosing(self._write(request.data)) as pieces:
            async for piece in pieces:
                if isinstance(piece, llm_pb2.Generation):
                    return llm_service_pb2.GenerateResponse(data=piece)
        raise AssertionError("a backend ended without Finished")

    async def StreamGenerate(
        self, request: llm_service_pb2.StreamGenerateRequest, context: object
    ) -> AsyncIterator[llm_service_pb2.StreamGenerateResponse]:
        """See the contract."""
        async with aclosing(self._write(request.data)) as pieces:
            async for piece in pieces:
                event = llm_service_pb2.GenerationEvent()
                if isinstance(piece, llm_pb2.Generation):
                    event.generation.CopyFrom(piece)
                else:
                    event.delta = piece
                yield llm_service_pb2.StreamGenerateResponse(data=event)

    async def ListModels(
        self, request: llm_service_pb2.ListModelsRequest, context: object
    ) -> llm_service_pb2.ListModelsResponse:
        """See the contract. Models are few: they always fit one page."""
        models = [
            llm_pb2.Model(id=name, backend=backend, available=available)
            for name, backend, available in await self._router.models()
        ]
        return llm_service_pb2.ListModelsResponse(data=llm_service_pb2.ListModelsOutput(models=models))

    async def _write(self, data: llm_pb2.GenerateInput) -> AsyncGenerator[str | llm_pb2.Generation]:
        """The pieces of the reply, then the whole of it."""
        began = time.perf_counter()
        prompt = await self._prompt(data)
        written: list[str] = []
        async with aclosing(self._router.write(prompt, data.model)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    generation = llm_pb2.Generation(
                        reply_text="".join(written),
                        language=prompt.language,
                        model_used=piece.model,
                        tokens=piece.tokens,
                        confidence=piece.confidence,
                        used_context=piece.used,
                    )
                    milliseconds = (time.perf_counter() - began) * 1000
                    self._events.emit(
                        event_pb2.EVENT_TYPE_ROUTER_GENERATED,
                        {"model": piece.model, "tokens": piece.tokens, "ms": round(milliseconds, 1)},
                    )
                    yield generation
                    return
                written.append(piece)
                yield piece

    async def _prompt(self, data: llm_pb2.GenerateInput) -> Prompt:
        if tokens.count(data.prompt) > tokens.MOST_IN_PROMPT:
            rule = f"must not be longer than {tokens.MOST_IN_PROMPT} tokens"
            raise InvalidInput(f"the prompt {rule}", violations=[Violation("data.prompt", rule)])
        tenant = await self._tenants.get(current().tenant)
        passages = [
            Passage(text, 1.0 if score is None else score, language or envelope_pb2.LANGUAGE_UNSPECIFIED)
            for text, score, language in zip_longest(data.context, data.scores, data.languages)
            if text is not None
        ]
        return Prompt(
            text=data.prompt,
            language=data.language if data.HasField("language") else await self._language_of(data.prompt),
            intent=data.intent,
            passages=passages,
            history=[Exchange(turn.user_text, turn.reply_text) for turn in data.history],
            templates=tenant.settings.get("response_templates", {}),
        )

    async def _language_of(self, text: str) -> Language:
        request = nlu_service_pb2.AnalyzeRequest(data=nlu_pb2.AnalyzeInput(text=text[:2000]))
        return (await self._nlu.Analyze(request)).data.language


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[LLMService]:
    """The servicer with its backends: a model server where one is set, then the extractive one."""
    settings = platform.settings
    async with AsyncExitStack() as stack:
        backends: list[Backend] = []
        if settings.llm_url is not None:
            key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
            server = OpenAICompatible(settings.llm_url, key, settings.llm_model)
            stack.push_async_callback(server.close)
            backends.append(server)
        backends.append(Extractive(Templates.built_in()))
        nlu = nlu_service_pb2_grpc.NLUServiceStub(platform.channel)
        yield LLMService(Router(backends), platform.tenants, platform.events, nlu)
