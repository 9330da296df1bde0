"""Reads one message as the tests look at it."""

from datetime import datetime

from servers.kit.text.personal_data import find
from servers.nlu.entities import find_entities
from servers.nlu.entities.finder import TIME_ZONE

NOW = datetime(2026, 11, 20, 17, 3, tzinfo=TIME_ZONE)
"""A Friday."""

Found = list[tuple[str, str]]
"""Value and written form of each entity."""


def found(type_: str, text: str) -> Found:
    """Entities of one type."""
    return [
        (entity.value, text[entity.start : entity.end])
        for entity in find_entities(text, find(text), NOW)
        if entity.type == type_
    ]


def all_found(text: str) -> list[tuple[str, str, str]]:
    """Type, value and written form of every entity."""
    return [
        (entity.type, entity.value, text[entity.start : entity.end]) for entity in find_entities(text, find(text), NOW)
    ]
