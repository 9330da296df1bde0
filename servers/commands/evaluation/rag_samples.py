"""A corpus and questions to it, from files of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from servers.commands.evaluation.rag_knowledge import Text
from servers.kit.errors import InvalidInput
from servers.rag.vocabulary import LANGUAGES

_ANSWERS = ("relevant", "ids", "id")
_QUESTIONS = ("text", "query")
_ARABIC, _LATIN = "ar", "fr"


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its language as the file gives it (may be empty), and the ids of the passages that answer it."""

    text: str
    language: str
    relevant: frozenset[str]


def read_corpus(file: Path) -> list[Text]:
    """The passages of a corpus: `id`, `text`, and where given `title` and `lang`.

    Raises InvalidInput with the line that is not well formed, OSError.
    """
    texts: dict[str, Text] = {}
    for fields, place in _objects(file):
        text = _words(fields, ("text",), place)
        id_ = _id(fields.get("id"), place)
        if id_ in texts:
            raise InvalidInput(f"{place}: there is another passage {id_}")
        language = str(fields.get("lang", ""))
        texts[id_] = Text(
            id_, str(fields.get("title") or ""), text, language if language in LANGUAGES else _guess(text)
        )
    if not texts:
        raise InvalidInput(f"there is no passage in {file}")
    return list(texts.values())


def read_queries(file: Path, corpus: list[Text]) -> list[Query]:
    """The questions: `text` or `query`, the ids that answer in `relevant`, `ids` or `id`, and where given `lang`.

    Raises InvalidInput with the line that is not well formed, or that names a passage that there is not; OSError.
    """
    known = {text.id for text in corpus}
    queries = []
    for fields, place in _objects(file):
        given = next((fields[name] for name in _ANSWERS if name in fields), None)
        relevant = frozenset(_id(one, place) for one in (given if isinstance(given, list) else [given]))
        if missing := sorted(relevant - known):
            raise InvalidInput(f"{place}: there is no passage {missing[0]}")
        if not relevant:
            raise InvalidInput(f"{place}: no passage answers")
        queries.append(Query(_words(fields, _QUESTIONS, place), str(fields.get("lang", "")), relevant))
    if not queries:
        raise InvalidInput(f"there is no question in {file}")
    return queries


def _objects(file: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{file}:{number}"
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InvalidInput(f"{place}: not JSON: {error}") from None
            if not isinstance(fields, dict):
                raise InvalidInput(f"{place}: not a JSON object")
            yield fields, place


def _words(fields: Mapping[str, Any], names: tuple[str, ...], place: str) -> str:
    value = next((fields[name] for name in names if name in fields), None)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{place}: `{names[0]}` must be a text that is not empty")
    return value


def _id(value: object, place: str) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        raise InvalidInput(f"{place}: an id must be a text or a number")
    return str(value)


def _guess(text: str) -> str:
    """A language of the text's script: all that retrieval wants to know where nobody prefers one."""
    arabic = sum("\u0600" <= character <= "\u06ff" for character in text)
    return _ARABIC if 2 * arabic > sum(map(str.isalpha, text)) else _LATIN
