"""The way of a message: read it ∥ load what is known → route → look up → write the reply → store the turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from salambot.llm.v1 import llm_pb2, llm_service_pb2, llm_service_pb2_grpc
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc
from salambot.orchestrator.v1 import orchestrator_pb2, orchestrator_service_pb2
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit.call import Call, current
from servers.kit.envelope import new_id
from servers.kit.errors import InternalError, Timeout, UpstreamError
from servers.kit.platform import Platform
from servers.kit.telemetry import DEGRADED
from servers.orchestrator import routing
from servers.orchestrator.privacy import EXTRACTIVE, Privacy
from servers.orchestrator.store import Duplicate, Known, NewTurn, Store

Step: TypeAlias = nlu_pb2.Analysis | orchestrator_service_pb2.CitationList | str | orchestrator_pb2.Reply
"""What was read, what was found, a piece of the reply's text, the reply."""
PASSAGES = 3
"""How many passages are looked up for a reply."""


@dataclass(slots=True)
class Work:
    """One message on its way; the reply fills up as it goes."""

    call: Call
    data: orchestrator_pb2.MessageInput
    channel: int
    message_id: str
    customer: bytes | None
    reply: orchestrator_pb2.Reply = field(default_factory=orchestrator_pb2.Reply)
    began: float = field(default_factory=time.perf_counter)

    def milliseconds(self, since: float) -> float:
        """Milliseconds since a reading of the clock."""
        return round((time.perf_counter() - since) * 1000, 3)


class Pipeline:
    """Answers messages with the other components."""

    def __init__(self, platform: Platform, store: Store, privacy: Privacy) -> None:
        self._nlu = nlu_service_pb2_grpc.NLUServiceStub(platform.channel)
        self._rag = rag_service_pb2_grpc.RAGServiceStub(platform.channel)
        self._llm = llm_service_pb2_grpc.LLMServiceStub(platform.channel)
        self._store = store
        self._privacy = privacy

    async def answer(self, data: orchestrator_pb2.MessageInput, *, stream: bool) -> AsyncGenerator[Step]:
        """The steps of an answer, the stored reply last; with `stream` the text comes piece by piece too.

        Raises UpstreamError when the message cannot be read or stored: nothing is half-written.
        """
        work = self._work(data)
        known, analysis = await self._load_and_read(work)
        if known.reply is not None:
            yield _repeated(known.reply)
            return
        _take_over(work.reply, analysis)
        yield analysis
        prompt = self._prompt(work, analysis, known)
        await self._look_up(work, analysis, prompt)
        if work.reply.citations:
            yield orchestrator_service_pb2.CitationList(citations=work.reply.citations)
        async with aclosing(self._write(work, prompt, stream=stream)) as deltas:
            async for delta in deltas:
                yield delta
        yield await self._stored(work, analysis, known)

    def _work(self, data: orchestrator_pb2.MessageInput) -> Work:
        call = current()
        if call.envelope is None:
            raise InternalError("a message came without its envelope")
        customer = self._privacy.pseudonym(call.tenant, data.user_id) if data.user_id else None
        return Work(call, data, call.envelope.channel, call.envelope.message_id, customer)

    async def _load_and_read(self, work: Work) -> tuple[Known, nlu_pb2.Analysis]:
        async def load() -> Known:
            began = time.perf_counter()
            known = await self._store.load(
                work.call.tenant, work.channel, work.message_id, work.data.conversation_id, work.customer
            )
            work.reply.timings.load_ms = work.milliseconds(began)
            return known

        async def read() -> nlu_pb2.Analysis:
            began = time.perf_counter()
            request = nlu_service_pb2.AnalyzeRequest(data=nlu_pb2.AnalyzeInput(text=work.data.user_text))
            analysis = (await self._nlu.Analyze(request)).data
            work.reply.timings.nlu_ms = work.milliseconds(began)
            return analysis

        loading = asyncio.create_task(load())
        try:
            analysis = await read()
            return await loading, analysis
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)

    def _prompt(self, work: Work, analysis: nlu_pb2.Analysis, known: Known) -> llm_pb2.GenerateInput:
        history = []
        for user_text, reply in known.turns:
            history.append(
                llm_pb2.ChatTurn(user_text=user_text, reply_text=orchestrator_pb2.Reply.FromString(reply).reply_text)
            )
        return llm_pb2.GenerateInput(
            prompt=work.data.user_text, language=analysis.language, intent=analysis.intent, history=history
        )

    async def _look_up(self, work: Work, analysis: nlu_pb2.Analysis, prompt: llm_pb2.GenerateInput) -> None:
        """Gives the prompt its passages, or the text to say without any."""
        work.reply.route = routing.route_of(analysis.intent)
        if work.reply.route == orchestrator_pb2.ROUTE_PERSON:
            _say(work, prompt, analysis.intent)
        if work.reply.route != orchestrator_pb2.ROUTE_KNOWLEDGE:
            return
        began = time.perf_counter()
        request = rag_service_pb2.RetrieveRequest(
            data=rag_pb2.RetrieveInput(query=work.data.user_text, limit=PASSAGES, language=analysis.language)
        )
        try:
            found = (await self._rag.Retrieve(request)).data
        except (UpstreamError, Timeout):
            # The customer is told, and offered a person; the rest of the message is still answered and stored.
            DEGRADED.labels("orchestrator", "rag").inc()
            work.reply.degraded = True
            _say(work, prompt, routing.CANNOT_LOOK_UP)
            return
        finally:
            work.reply.timings.rag_ms = work.milliseconds(began)
        kept = routing.relevant(found)
        for index in kept:
            prompt.context.append(found.passages[index])
            prompt.scores.append(found.scores[index])
            prompt.languages.append(found.languages[index])
            work.reply.citations.append(found.citations[index])
        if not kept and analysis.intent == routing.OUT_OF_SCOPE:
            _say(work, prompt, routing.OUT_OF_SCOPE)
            work.reply.route = orchestrator_pb2.ROUTE_SMALL_TALK  # nothing a person of the business could help with
        elif not kept:
            _say(work, prompt, routing.NO_ANSWER)

    async def _write(self, work: Work, prompt: llm_pb2.GenerateInput, *, stream: bool) -> AsyncGenerator[str]:
        began = time.perf_counter()
        generation = llm_pb2.Generation()
        if stream:
            written = self._llm.StreamGenerate(llm_service_pb2.StreamGenerateRequest(data=prompt))
            async with aclosing(cast(AsyncGenerator[llm_service_pb2.StreamGenerateResponse], written)) as responses:
                async for response in responses:
                    if response.data.HasField("generation"):
                        generation = response.data.generation
                    else:
                        yield response.data.delta
        else:
            generation = (await self._llm.Generate(llm_service_pb2.GenerateRequest(data=prompt))).data
        reply = work.reply
        reply.reply_text = generation.reply_text
        reply.reply_language = generation.language
        reply.confidence = generation.confidence
        reply.model_used = generation.model_used
        reply.tokens = generation.tokens
        reply.filtered = generation.filtered
        used = [reply.citations[index] for index in generation.used_context if index < len(reply.citations)]
        del reply.citations[:]
        reply.citations.extend(used)
        reply.timings.llm_ms = work.milliseconds(began)

    async def _stored(self, work: Work, analysis: nlu_pb2.Analysis, known: Known) -> orchestrator_pb2.Reply:
        reply = work.reply
        began = time.perf_counter()
        reply.turn_id = new_id("turn")
        reply.conversation_id = known.conversation or new_id("conv")
        turn = NewTurn(
            id=reply.turn_id,
            conversation=reply.conversation_id,
            channel=work.channel,
            customer=work.customer,
            message_id=work.message_id,
            user_text=analysis.masked_text,
            reply=await self._privacy.masked(work.call.tenant, reply),
        )
        try:
            reply.conversation_id = await self._store.add_turn(
                work.call.tenant, turn, go_on=bool(work.data.conversation_id)
            )
        except Duplicate as first:
            return _repeated(first.reply)
        reply.timings.store_ms = work.milliseconds(began)
        reply.timings.total_ms = work.milliseconds(work.began)
        return reply


def _take_over(reply: orchestrator_pb2.Reply, analysis: nlu_pb2.Analysis) -> None:
    reply.language = analysis.language
    reply.intent = analysis.intent
    reply.intent_confidence = analysis.confidence
    reply.entities.extend(analysis.entities)
    reply.sentiment = analysis.sentiment
    reply.urgency = analysis.urgency
    reply.degraded = analysis.degraded


def _say(work: Work, prompt: llm_pb2.GenerateInput, intent: str) -> None:
    """Has a fixed text said instead of a model's: where nothing stands behind a reply, nothing may be made up."""
    work.reply.route = orchestrator_pb2.ROUTE_PERSON
    prompt.intent = intent
    prompt.model = EXTRACTIVE


def _repeated(reply: orchestrator_pb2.Reply) -> orchestrator_pb2.Reply:
    reply.duplicate = True
    return reply
