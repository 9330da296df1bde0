"""LLMService: the RPCs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from opentelemetry import trace
from salambot.common.v1 import event_pb2
from salambot.llm.v1 import chat_pb2, llm_pb2, llm_service_pb2, llm_service_pb2_grpc
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.events import Events
from servers.kit.platform import Platform
from servers.llm.backend import Conversation, Finished, Language, Piece, Prompt
from servers.llm.backends import open_backends
from servers.llm.conversations import Conversations
from servers.llm.embedding import Embeddings
from servers.llm.router import Router
from servers.llm.tracing import traced

_GROUNDED_CONFIDENCE = 0.8  # times the best passage's relevance, for replies of models


class LLMService(llm_service_pb2_grpc.LLMServiceServicer):
    """Writes replies and makes vectors. Nothing is stored."""

    def __init__(self, router: Router, embeddings: Embeddings, conversations: Conversations, events: Events) -> None:
        self._router = router
        self._embeddings = embeddings
        self._conversations = conversations
        self._events = events
        self._tracer = trace.get_tracer("salambot.llm")

    async def Generate(
        self, request: llm_service_pb2.GenerateRequest, context: object
    ) -> llm_service_pb2.GenerateResponse:
        """See the contract."""
        async with aclosing(self._generate(request.data)) as pieces:
            async for piece in pieces:
                if isinstance(piece, llm_pb2.Generation):
                    return llm_service_pb2.GenerateResponse(data=piece)
        raise AssertionError("a reply ended without Finished")

    async def StreamGenerate(
        self, request: llm_service_pb2.StreamGenerateRequest, context: object
    ) -> AsyncIterator[llm_service_pb2.StreamGenerateResponse]:
        """See the contract."""
        async with aclosing(self._generate(request.data)) as pieces:
            async for piece in pieces:
                event = llm_service_pb2.GenerationEvent()
                if isinstance(piece, llm_pb2.Generation):
                    event.generation.CopyFrom(piece)
                else:
                    event.delta = piece
                yield llm_service_pb2.StreamGenerateResponse(data=event)

    async def Chat(
        self, request: llm_service_pb2.ChatRequest, context: object
    ) -> AsyncIterator[llm_service_pb2.ChatResponse]:
        """See the contract."""
        async with aclosing(self._go_on(self._conversations.of_chat(request.data))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    finish = chat_pb2.ChatFinish(
                        reason=piece.reason, usage=piece.usage, model=piece.model, backend=piece.backend
                    )
                    yield llm_service_pb2.ChatResponse(data=llm_service_pb2.ChatEvent(finish=finish))
                else:
                    yield llm_service_pb2.ChatResponse(data=llm_service_pb2.ChatEvent(delta=piece))

    async def Embed(self, request: llm_service_pb2.EmbedRequest, context: object) -> llm_service_pb2.EmbedResponse:
        """See the contract."""
        data = request.data
        dimensions = data.dimensions if data.HasField("dimensions") else None
        vectors, usage = await self._embeddings.embed(data.texts, data.model, dimensions)
        output = llm_service_pb2.EmbedOutput(model=data.model, usage=usage)
        for vector in vectors:
            output.embeddings.add().values.extend(vector)
        return llm_service_pb2.EmbedResponse(data=output)

    async def ListModels(
        self, request: llm_service_pb2.ListModelsRequest, context: object
    ) -> llm_service_pb2.ListModelsResponse:
        """See the contract. Models are few: they always fit one page."""
        models = [
            llm_pb2.Model(id=name, backend=backend, available=available)
            for name, backend, available in [*await self._router.models(), *await self._embeddings.models()]
        ]
        return llm_service_pb2.ListModelsResponse(data=llm_service_pb2.ListModelsOutput(models=models))

    async def _generate(self, data: llm_pb2.GenerateInput) -> AsyncGenerator[str | llm_pb2.Generation]:
        """The pieces of the reply, then the whole of it."""
        conversation = await self._conversations.of_prompt(data)
        assert conversation.prompt is not None
        written: list[str] = []
        async with aclosing(self._go_on(conversation)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    yield _generation(conversation.prompt, "".join(written), piece)
                elif piece.text:
                    written.append(piece.text)
                    yield piece.text

    async def _go_on(self, conversation: Conversation) -> AsyncGenerator[Piece]:
        """What every reply goes through, whoever asked for it."""
        began = time.perf_counter()
        chain = await self._router.choose(conversation)
        pieces = traced(self._tracer, conversation.data, self._router.write(conversation, chain))
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Finished):
                    milliseconds = (time.perf_counter() - began) * 1000
                    self._events.emit(
                        event_pb2.EVENT_TYPE_ROUTER_GENERATED,
                        {
                            "model": piece.model,
                            "tokens": piece.usage.completion_tokens,
                            "ms": round(milliseconds, 1),
                        },
                    )
                yield piece


def _generation(prompt: Prompt, text: str, finished: Finished) -> llm_pb2.Generation:
    best = max((passage.score for passage in prompt.passages), default=1.0)
    return llm_pb2.Generation(
        reply_text=text,
        language=prompt.language,
        model_used=finished.model,
        tokens=finished.usage.completion_tokens,
        confidence=_GROUNDED_CONFIDENCE * best if finished.confidence is None else finished.confidence,
        used_context=finished.used or (),
    )


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[LLMService]:
    """The servicer with its backends."""
    nlu = nlu_service_pb2_grpc.NLUServiceStub(platform.channel)

    async def language_of(text: str) -> Language:
        request = nlu_service_pb2.AnalyzeRequest(data=nlu_pb2.AnalyzeInput(text=text[:2000]))
        return (await nlu.Analyze(request)).data.language

    async with open_backends(platform, language_of) as backends:
        router, embeddings = Router(backends.chat), Embeddings(backends.embedding)
        conversations = Conversations(platform.tenants, language_of)
        yield LLMService(router, embeddings, conversations, platform.events)
