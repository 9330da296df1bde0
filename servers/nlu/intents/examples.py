"""Examples on their way in: masked as the tenant wants it, each with its language and an identifier of its own."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections.abc import Sequence

from salambot.nlu.v1 import intents_pb2, nlu_pb2

from servers.kit.errors import InvalidInput, Violation
from servers.nlu.conditions import Conditions
from servers.nlu.reader import Reader

_BATCH = 16


async def as_stored(
    reader: Reader,
    conditions: Conditions,
    sent: Sequence[intents_pb2.IntentExample],
) -> list[intents_pb2.IntentExample]:
    """The examples as they may be stored, in order; languages left out are read.

    Raises InvalidInput for a blank text.
    """
    stored = []
    for start in range(0, len(sent), _BATCH):
        batch = sent[start : start + _BATCH]
        messages = [
            nlu_pb2.AnalyzeInput(text=_checked(example.text, start + index)) for index, example in enumerate(batch)
        ]
        analyses = await reader.read(messages, conditions)
        stored += [
            intents_pb2.IntentExample(
                id=_id_of(example.intent, analysis.masked_text),
                intent=example.intent,
                text=analysis.masked_text,
                language=example.language or analysis.language,
            )
            for example, analysis in zip(batch, analyses, strict=True)
        ]
        await asyncio.sleep(0)  # messages of customers come between
    return stored


def _checked(text: str, index: int) -> str:
    composed = unicodedata.normalize("NFC", text)
    if not composed.strip():
        rule = "must not be blank"
        raise InvalidInput(
            f"the text of an example {rule}", violations=[Violation(f"data.examples[{index}].text", rule)]
        )
    return composed


def _id_of(intent: str, text: str) -> str:
    return hashlib.blake2b(f"{intent}\0{text}".encode(), digest_size=16).hexdigest()
