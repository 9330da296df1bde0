"""Repeated messages against a real Redis: what is read once, what is never kept, and what Redis gets to see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

import numpy as np
import pytest
from salambot.common.v1 import envelope_pb2 as common
from salambot.nlu.v1 import entity_types_pb2, nlu_pb2

from servers.kit.cache import Cache
from servers.kit.text.masking import Policy
from servers.kit.text.policy import Masking
from servers.nlu import cache as module
from servers.nlu.cache import LONGEST, AnalysisCache
from servers.nlu.conditions import BY_DEFAULT, Conditions
from servers.nlu.entity_types.matcher import Matcher
from servers.nlu.intents.head import train
from servers.nlu.intents.reading import Published
from servers.nlu.reader import Reader

SECRET = b"a secret of at least 32 characters"

_numbers = count()


class Counting:
    """A reader that counts what it is asked for."""

    def __init__(self, reader: Reader, conditions: Conditions = BY_DEFAULT) -> None:
        self.read_texts: list[str] = []
        self._reader = reader
        self._conditions = conditions

    async def __call__(self, messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        self.read_texts += [message.text for message in messages]
        return await self._reader.read(messages, self._conditions)


@pytest.fixture
def counting(reader: Reader) -> Counting:
    """The model in the repository."""
    return Counting(reader)


@pytest.fixture
async def redis_cache(redis_url: str) -> AsyncIterator[Cache]:
    """A connection of the test's own."""
    cache = Cache.open(redis_url)
    yield cache
    await cache.close()


@pytest.fixture
def conditions() -> Conditions:
    """Those of a tenant of the test's own."""
    return Conditions(f"cache-{next(_numbers)}")


def messages(*texts: str) -> list[nlu_pb2.AnalyzeInput]:
    return [nlu_pb2.AnalyzeInput(text=text) for text in texts]


async def stored(cache: Cache, tenant: str) -> dict[bytes, bytes]:
    keys = [key async for key in cache.redis.scan_iter(f"salam:{tenant}:*")]
    return dict(zip(keys, await cache.redis.mget(keys) if keys else [], strict=True))


async def test_a_message_is_read_once_in_all_processes(
    redis_cache: Cache, counting: Counting, conditions: Conditions
) -> None:
    first, second = AnalysisCache(redis_cache, SECRET, "models-1"), AnalysisCache(redis_cache, SECRET, "models-1")
    asked = messages("salam", "bghit nbeddel l3onwan", "salam", "فين وصلات الطلبية ديالي؟")
    fresh = await first.read(asked, conditions, counting)
    assert counting.read_texts == ["salam", "bghit nbeddel l3onwan", "فين وصلات الطلبية ديالي؟"]
    assert fresh == await first.read(asked, conditions, counting)  # from memory
    await first.close()
    assert fresh == await second.read(asked, conditions, counting)  # from Redis
    assert fresh == await counting(asked)
    assert len(counting.read_texts) == 3 + 4


async def test_whatever_an_analysis_depends_on_has_it_read_anew(
    redis_cache: Cache, counting: Counting, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    (message,) = messages("salam")
    head, _ = train(["greeting", "goodbye"], np.eye(2, dtype=np.float32), lambda share: None)
    box = entity_types_pb2.EntityType(name="product", values=[entity_types_pb2.EntityValue(value="Box 4G")])
    changes = [
        {},
        {"tenant": f"{conditions.tenant}-2"},
        {"masking": Masking(Policy.KEEP)},
        {"masking": Masking(names=False)},
        {"otherwise": common.LANGUAGE_AR},
        {"foreign": common.LANGUAGE_EN},
        {"intents": Published("v1", head)},
        {"intents": Published("v2", head)},
        {"matcher": Matcher([box])},
    ]
    for change in changes:
        for _ in range(2):
            await cache.read([message], replace(conditions, **change), counting)
    assert counting.read_texts == ["salam"] * len(changes)
    await cache.read([nlu_pb2.AnalyzeInput(text="salam", lang=common.LANGUAGE_EN)], conditions, counting)
    assert len(counting.read_texts) == len(changes) + 1
    await cache.close()
    upgraded = AnalysisCache(redis_cache, SECRET, "models-2")
    await upgraded.read([message], conditions, counting)
    await upgraded.close()
    assert len(counting.read_texts) == len(changes) + 2

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2031, 1, 1, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Tomorrow)
    await cache.read([message], conditions, counting)
    assert len(counting.read_texts) == len(changes) + 3
    await cache.close()


@pytest.mark.parametrize("policy", [Policy.MASK, Policy.KEEP])
async def test_personal_data_never_leave_the_process(
    redis_cache: Cache, reader: Reader, conditions: Conditions, policy: Policy
) -> None:
    conditions = replace(conditions, masking=Masking(policy))
    counting = Counting(reader, conditions)
    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    told = messages("tel 0612345678", "driss@maroc.ma", "carte 4111 1111 1111 1111", "fin lkommand dyali?")
    for _ in range(2):
        analyses = await cache.read(told, conditions, counting)
    await cache.close()
    assert [analysis.entities[0].type for analysis in analyses[:3]] == ["phone", "email", "card_number"]
    assert counting.read_texts == [message.text for message in (*told, *told[:3])]
    ((key, value),) = (await stored(redis_cache, conditions.tenant)).items()
    assert b"lkommand" not in key + value  # not even what is no personal data
    assert 0 < await redis_cache.redis.pttl(key) <= module.KEPT_S * 1000


async def test_what_the_tenant_calls_personal_is_not_kept(
    redis_cache: Cache, reader: Reader, conditions: Conditions
) -> None:
    contract = entity_types_pb2.EntityType(name="contract", patterns=["CT-[0-9]+"], personal=True)
    conditions = replace(conditions, masking=Masking(Policy.KEEP), matcher=Matcher([contract]))
    counting = Counting(reader, conditions)
    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    for _ in range(2):
        (analysis,) = await cache.read(messages("mon contrat CT-774120"), conditions, counting)
    await cache.close()
    assert [(entity.type, entity.personal) for entity in analysis.entities] == [("contract", True)]
    assert len(counting.read_texts) == 2
    assert not await stored(redis_cache, conditions.tenant)


async def test_long_messages_and_the_answers_of_rules_are_not_kept(
    redis_cache: Cache, reader: Reader, rules_reader: Reader, conditions: Conditions
) -> None:
    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    long, short = Counting(reader), Counting(rules_reader)
    for _ in range(2):
        await cache.read(messages("a" * (LONGEST + 1)), conditions, long)
        (analysis,) = await cache.read(messages("salam"), conditions, short)
    await cache.close()
    assert analysis.degraded
    assert (len(long.read_texts), len(short.read_texts)) == (2, 2)
    assert not await stored(redis_cache, conditions.tenant)


async def test_the_same_letters_in_another_composition_are_another_message(
    redis_cache: Cache, counting: Counting, conditions: Conditions
) -> None:
    """An entity stands elsewhere in `é` written as two code points."""
    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    composed, decomposed = messages("réservé 250 dh", "re\u0301serve\u0301 250 dh")
    (left,), (right,) = [await cache.read([message], conditions, counting) for message in (composed, decomposed)]
    for message, analysis in ((composed, left), (decomposed, right)):
        (amount,) = analysis.entities
        assert message.text[amount.start : amount.end] == "250 dh"
    await cache.close()


async def test_without_redis_messages_are_read_and_remembered(counting: Counting, conditions: Conditions) -> None:
    gone = Cache.open("redis://127.0.0.1:1")
    cache = AnalysisCache(gone, SECRET, "models-1")
    for _ in range(2):
        (analysis,) = await cache.read(messages("salam"), conditions, counting)
    assert analysis.intent == "greeting"
    assert counting.read_texts == ["salam"]
    await cache.close()
    await gone.close()


async def test_the_memory_is_bounded_and_forgets_what_nobody_writes(
    counting: Counting, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    gone = Cache.open("redis://127.0.0.1:1")
    cache = AnalysisCache(gone, SECRET, "models-1")
    for text in ("salam", "merci", "salam", "ok", "salam", "merci"):
        await cache.read(messages(text), conditions, counting)
    assert counting.read_texts == ["salam", "merci", "ok", "merci"]
    await cache.close()
    await gone.close()


async def test_redis_is_left_alone_where_it_knows_little_until_it_knows_more(
    redis_cache: Cache, conditions: Conditions
) -> None:
    async def read(unread: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        return [nlu_pb2.Analysis(masked_text=message.text) for message in unread]

    async def ask(first: int) -> None:
        for start in range(first, first + 1000, 50):
            batch = messages(*(f"message {number}" for number in range(start, start + 50)))
            await cache.read(batch, conditions, read)

    async def kept(first: int) -> int:
        """How many of a thousand new messages come to Redis."""
        before = len(await stored(redis_cache, conditions.tenant))
        await ask(first)
        await cache.close()
        return len(await stored(redis_cache, conditions.tenant)) - before

    cache = AnalysisCache(redis_cache, SECRET, "models-1")
    assert await kept(0) == 1000  # nothing is known of it yet
    await kept(1000)
    assert 20 < await kept(2000) < 130  # one in sixteen
    for _ in range(20):
        cache._memory.clear()
        await ask(0)
    assert await kept(3000) == 1000


async def test_a_failing_reader_fails_its_caller_alone(
    redis_cache: Cache, counting: Counting, conditions: Conditions
) -> None:
    cache = AnalysisCache(redis_cache, SECRET, "models-1")

    async def failing(_: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        raise RuntimeError("broken")

    outcomes = await asyncio.gather(
        cache.read(messages("salam"), conditions, failing),
        cache.read(messages("salam"), conditions, counting),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], RuntimeError)
    assert outcomes[1][0].intent == "greeting"
    await cache.close()
