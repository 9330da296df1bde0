"""U+0000 in text: valid in Protobuf and JSON, and the one character that Postgres cannot store.

Almost no message holds a zero byte, so that a good one pays for one serialisation (1 µs); only one that does is searched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

NUL = "\0"


def nul_fields(message: Message) -> Iterator[str]:
    """The paths of the strings that hold U+0000, as protovalidate writes them (`data.tags[2]`)."""
    if b"\0" in message.SerializeToString():
        yield from _search(message, "")


def _search(message: Message, prefix: str) -> Iterator[str]:
    for field, value in message.ListFields():
        path = prefix + field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            for key, item in value.items():
                place = f"{path}[{json.dumps(key)}]" if isinstance(key, str) else f"{path}[{key}]"
                if isinstance(key, str) and NUL in key:
                    yield place
                yield from _search_one(inner, item, place)
        elif field.is_repeated:
            for index, item in enumerate(value):
                yield from _search_one(field, item, f"{path}[{index}]")
        else:
            yield from _search_one(field, value, path)


def _search_one(field: FieldDescriptor, value: Any, path: str) -> Iterator[str]:
    if field.message_type is not None:
        yield from _search(value, f"{path}.")
    elif field.type == FieldDescriptor.TYPE_STRING and NUL in value:
        yield path
