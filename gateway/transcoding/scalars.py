"""JSON values to Protobuf scalars and back. Each check returns the value to set, or raises Refused."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from unicodedata import normalize

from gateway.transcoding.refusal import Refused, wrong_type

INT32 = (-(2**31), 2**31 - 1)
UINT32 = (0, 2**32 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)

NUL = "must not hold the character U+0000"  # which Postgres cannot store

_BEYOND_FLOAT = 3.4028235677973366e38  # the smallest double that no longer rounds to a 32-bit float
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,19})", re.ASCII)
_FLOAT = struct.Struct("f")
_URL_SAFE = str.maketrans("-_", "+/")


def text(value: object) -> str:
    """A string in NFC, so that what looks the same is the same."""
    if type(value) is not str:
        wrong_type("a string", value)
    if "\0" in value:
        raise Refused(NUL)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused("must be valid Unicode: it holds half of a surrogate pair") from None
    return normalize("NFC", value)


def integer(value: object, low: int, high: int) -> int:
    """A whole number between `low` and `high`; `3.0` is one, as in JSON Schema."""
    if type(value) is float:
        if not value.is_integer():
            raise Refused("must be a whole number")
        value = int(value)
    elif type(value) is not int:
        wrong_type("a whole number", value)
    if not low <= value <= high:
        raise Refused(f"must be between {low} and {high}")
    return value


def double(value: object) -> float:
    """A finite number."""
    if type(value) is not float and type(value) is not int:
        wrong_type("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refused("must be a finite number in the range of a double")
    return number


def single(value: object) -> float:
    """A finite number that fits 32 bits."""
    number = double(value)
    if abs(number) >= _BEYOND_FLOAT:
        raise Refused("must be a finite number in the range of a 32-bit float")
    return number


def boolean(value: object) -> bool:
    """True or false."""
    if type(value) is not bool:
        wrong_type("true or false", value)
    return value


def octets(value: object) -> bytes:
    """Bytes as base64, in the standard or the URL-safe alphabet, padded."""
    if type(value) is not str:
        wrong_type("a base64 string", value)
    try:
        return base64.b64decode(value.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("must be base64") from None


def octets_text(value: bytes) -> str:
    """Bytes as standard base64."""
    return base64.b64encode(value).decode("ascii")


def single_number(value: float) -> float:
    """A 32-bit float as the shortest decimal that reads back the same: 0.1, not 0.10000000149011612."""
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if _FLOAT.unpack(_FLOAT.pack(short))[0] == value:
            return short
    return value


def plain(value: str) -> object:
    """A path segment, query parameter or map key as the JSON value it spells; anything else stays a string."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if _WHOLE.fullmatch(value) else value
