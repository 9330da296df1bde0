"""Analyses of repeated messages: `salam`, `merci`, `c'est combien ?` are read once and remembered.

What this process met lately is found in its memory (10 µs), what any process met within the hour in Redis. To ask Redis
and to write there costs a message 70 to 150 µs of CPU, to read it 200 to 500: it pays where at least a quarter of what
is asked is known. Where it is less, one message in sixteen still asks and is written, to notice when that changes.

Nothing that leaves the process tells what a customer wrote. A key is a keyed hash. An analysis that names personal data
is not kept at all; the others are kept without their masked text, which is the message itself: who asks has it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from prometheus_client import Counter
from salambot.nlu.v1 import nlu_pb2

from servers.kit.cache import Cache
from servers.kit.text.personal_data import Kind
from servers.nlu.conditions import Conditions
from servers.nlu.shared_values import SharedValues

Read = Callable[[Sequence[nlu_pb2.AnalyzeInput]], Awaitable[list[nlu_pb2.Analysis]]]

ANSWERED = Counter("salambot_nlu_analyses_total", "Analyses, by where they came from.", ("source",))
_READ, _REMEMBERED_HERE, _REMEMBERED_IN_REDIS = map(ANSWERED.labels, ("read", "memory", "redis"))

LONGEST = 256
"""Code points of a message that may be kept: nobody writes a longer one twice."""
KEPT_S = 3600.0
"""How long Redis keeps an analysis, in seconds."""

_REMEMBERED = 2048
_PAYING = 0.25  # least share of the messages asked for that Redis must know
_OBSERVED = 1000  # messages over which that share is the average
_SAMPLE = "0"  # last digit of the keys that always take part
_TIME_ZONE = "Africa/Casablanca"
_NOT_KEPT = frozenset({*map(str, Kind), "time"})  # whatever the tenant wants masked


class AnalysisCache:
    """Answers from memory, then from Redis, then by reading; while Redis is down, from memory or by reading.

    `secret` is the installation's: without it nobody can ask Redis whether a customer wrote something. `models` is the
    version of the models that read.
    """

    def __init__(self, cache: Cache, secret: bytes, models: str) -> None:
        self._models = models
        self._shared = SharedValues(cache, KEPT_S)
        self._secret = hashlib.sha256(secret).digest()
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._known_share = 1.0  # of what Redis was asked for lately

    async def read(
        self, messages: Sequence[nlu_pb2.AnalyzeInput], conditions: Conditions, read: Read
    ) -> list[nlu_pb2.Analysis]:
        """One analysis for each message, in order; `read` is asked once, for those that nobody met yet, if any."""
        # What `tomorrow` is depends on the day; nothing that is read depends on the hour.
        today = datetime.now(ZoneInfo(_TIME_ZONE)).date()
        keyed = [(self._key(message, conditions, today) or place, message) for place, message in enumerate(messages)]
        known = await self._find({key for key, _ in keyed if isinstance(key, str)})
        unread = {key: message for key, message in keyed if key not in known}
        fresh = dict(zip(unread, await read(list(unread.values())) if unread else (), strict=True))
        _READ.inc(len(unread))
        for key, message in unread.items():
            if isinstance(key, str) and _may_be_kept(message, fresh[key]):
                self._keep(key, fresh[key])
        return [fresh[key] if key in fresh else _restored(known[key], message) for key, message in keyed]

    async def close(self) -> None:
        """Writes what is left."""
        await self._shared.close()

    def _key(self, message: nlu_pb2.AnalyzeInput, conditions: Conditions, today: date) -> str | None:
        """The key of a message short enough to have one. Of the text as written: offsets count its code points."""
        if len(message.text) > LONGEST:
            return None
        masking = conditions.masking
        depends_on = (
            self._models,
            f"{masking.policy} {masking.names}",
            f"{conditions.otherwise} {conditions.foreign} {message.lang}",
            conditions.intents.version if conditions.intents is not None else "",
            conditions.matcher.fingerprint,
            today.isoformat(),
            message.text,
        )
        digest = hashlib.blake2b("\0".join(depends_on).encode(), digest_size=16, key=self._secret).hexdigest()
        return f"salam:{conditions.tenant}:nlu:{digest}"

    async def _find(self, keys: set[str]) -> dict[str | int, bytes]:
        found: dict[str | int, bytes] = {key: value for key in keys if (value := self._memory.get(key)) is not None}
        if found:
            _REMEMBERED_HERE.inc(len(found))
        for key in found:
            self._memory.move_to_end(str(key))
        asked = {key for key in keys - found.keys() if self._takes_part(key)}
        if not asked:
            return found
        shared = await self._shared.find(asked)
        _REMEMBERED_IN_REDIS.inc(len(shared))
        self._known_share += (len(shared) - len(asked) * self._known_share) / max(_OBSERVED, len(asked))
        for key, value in shared.items():
            self._remember(key, value)
        return found | shared

    def _remember(self, key: str, value: bytes) -> None:
        self._memory[key] = value
        if len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)

    def _keep(self, key: str, analysis: nlu_pb2.Analysis) -> None:
        kept = nlu_pb2.Analysis()
        kept.CopyFrom(analysis)
        kept.ClearField("masked_text")
        value = kept.SerializeToString()
        self._remember(key, value)
        if self._takes_part(key):
            self._shared.put(key, value)

    def _takes_part(self, key: str) -> bool:
        return self._known_share >= _PAYING or key.endswith(_SAMPLE)


def _may_be_kept(message: nlu_pb2.AnalyzeInput, analysis: nlu_pb2.Analysis) -> bool:
    """Not what names personal data; nor times, since `in two hours` is another one by then."""
    return (
        not analysis.degraded
        and analysis.masked_text == message.text
        and not any(entity.personal or entity.type in _NOT_KEPT for entity in analysis.entities)
    )


def _restored(value: bytes, message: nlu_pb2.AnalyzeInput) -> nlu_pb2.Analysis:
    analysis = nlu_pb2.Analysis.FromString(value)
    analysis.masked_text = message.text
    return analysis
