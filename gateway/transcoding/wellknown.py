"""Google's well-known types as the JSON a client expects: RFC 3339 times, durations in seconds, plain values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from gateway.transcoding import scalars
from gateway.transcoding.refusal import Refused, wrong_type

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_LONGEST_S = 315_576_000_000  # of a Duration: ten thousand years
_EXACT = 2.0**53


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    if not nanos % 1_000_000:
        return f".{nanos // 1_000_000:03d}"
    if not nanos % 1000:
        return f".{nanos // 1000:06d}"
    return f".{nanos:09d}"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def timestamp_text(message: Any) -> str:
    """A Timestamp in UTC: `2025-08-14T10:00:00.080Z`."""
    return f"{_second(message.seconds)}{_fraction(message.nanos)}Z"


def read_timestamp(value: object, message: Any) -> None:
    """Sets a Timestamp from RFC 3339; any offset is taken and turned to UTC."""
    if type(value) is not str:
        wrong_type("a time such as 2025-08-14T10:00:00Z", value)
    parts = _TIME.fullmatch(value)
    try:
        if parts is None:
            raise ValueError
        moment = datetime.fromisoformat(f"{parts[1]}{parts[3]}".upper())
        message.seconds = (moment - _EPOCH) // timedelta(seconds=1)
        _second(message.seconds)
    except (ValueError, OverflowError):
        raise Refused("must be a time as in RFC 3339, such as 2025-08-14T10:00:00Z") from None
    message.nanos = int(parts[2].ljust(9, "0")) if parts[2] else 0


def duration_text(message: Any) -> str:
    """A Duration in seconds: `1.500s`."""
    sign = "-" if message.seconds < 0 or message.nanos < 0 else ""
    return f"{sign}{abs(message.seconds)}{_fraction(abs(message.nanos))}s"


def read_duration(value: object, message: Any) -> None:
    """Sets a Duration from seconds with the letter s."""
    if type(value) is not str:
        wrong_type("a duration such as 1.5s", value)
    parts = _DURATION.fullmatch(value)
    if parts is None or int(parts[2]) > _LONGEST_S:
        raise Refused("must be a duration in seconds, such as 1.5s")
    sign = -1 if parts[1] else 1
    message.seconds = sign * int(parts[2])
    message.nanos = sign * int(parts[3].ljust(9, "0")) if parts[3] else 0


def value_json(message: Value) -> Any:
    """A Value as plain JSON; whole numbers without a fraction."""
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return struct_json(message.struct_value)
    if kind == "list_value":
        return list_json(message.list_value)
    if kind == "number_value":
        return _plain_number(message.number_value)
    return None if kind in (None, "null_value") else getattr(message, kind)


def _plain_number(number: float) -> int | float:
    if abs(number) >= _EXACT or not number.is_integer():
        return number
    whole = int(number)
    return whole if whole or math.copysign(1, number) > 0 else number  # the sign of -0.0 is kept


def struct_json(message: Struct) -> dict[str, Any]:
    """A Struct as a JSON object."""
    return {key: value_json(value) for key, value in message.fields.items()}


def list_json(message: ListValue) -> list[Any]:
    """A ListValue as a JSON list."""
    return [value_json(value) for value in message.values]


def read_value(value: object, message: Value) -> None:
    """Sets a Value from any JSON."""
    kind = type(value)
    if kind is str:
        message.string_value = scalars.text(value)
    elif value is None:
        message.null_value = 0  # type: ignore[assignment]
    elif kind is bool:
        message.bool_value = scalars.boolean(value)
    elif kind is dict:
        read_struct(value, message.struct_value)
    elif kind is list:
        read_list(value, message.list_value)
    else:
        message.number_value = scalars.double(value)


def read_struct(value: object, message: Struct) -> None:
    """Sets a Struct from a JSON object."""
    if type(value) is not dict:
        wrong_type("an object", value)
    message.SetInParent()
    for key, item in value.items():
        try:
            read_value(item, message.fields[scalars.text(key)])
        except Refused as refused:
            raise refused.under(key) from None


def read_list(value: object, message: ListValue) -> None:
    """Sets a ListValue from a JSON list."""
    if type(value) is not list:
        wrong_type("a list", value)
    message.SetInParent()
    for index, item in enumerate(value):
        try:
            read_value(item, message.values.add())
        except Refused as refused:
            raise refused.under(index) from None


def mask_text(message: Any) -> str:
    """A FieldMask as its paths, with commas between."""
    return ",".join(message.paths)


def read_mask(value: object, message: Any) -> None:
    """Sets a FieldMask from paths with commas between."""
    message.SetInParent()
    message.paths.extend(path for path in scalars.text(value).split(",") if path)


PACKAGE = "google.protobuf."
WRITERS: dict[str, Callable[[Any], Any]] = {
    f"{PACKAGE}Timestamp": timestamp_text,
    f"{PACKAGE}Duration": duration_text,
    f"{PACKAGE}Value": value_json,
    f"{PACKAGE}Struct": struct_json,
    f"{PACKAGE}ListValue": list_json,
    f"{PACKAGE}FieldMask": mask_text,
}
READERS: dict[str, Callable[[object, Any], None]] = {
    f"{PACKAGE}Timestamp": read_timestamp,
    f"{PACKAGE}Duration": read_duration,
    f"{PACKAGE}Value": read_value,
    f"{PACKAGE}Struct": read_struct,
    f"{PACKAGE}ListValue": read_list,
    f"{PACKAGE}FieldMask": read_mask,
}
FREE = frozenset({f"{PACKAGE}Value", f"{PACKAGE}Struct", f"{PACKAGE}ListValue"})
