"""Messages of any type of the contract, made from its descriptors for property-based tests."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

_PACKAGE = "google.protobuf."
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
_DEEPEST = 4

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(
    lambda text: normalize("NFC", text)
)
doubles = st.floats(allow_nan=False, allow_infinity=False)

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: texts,
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_DOUBLE: doubles,
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}
json_values = st.recursive(
    st.none() | st.booleans() | texts | doubles,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Any:
    """A message of the type, with any of its fields set."""
    return fill(draw, GetMessageClass(descriptor)(), depth)


def fill(draw: st.DrawFn, message: Any, depth: int) -> Any:
    """Sets any of the fields of an empty message."""
    descriptor = message.DESCRIPTOR
    if descriptor.full_name in _WELL_KNOWN:
        _WELL_KNOWN[descriptor.full_name](draw, message)
        return message
    for field in descriptor.fields:
        if (depth < _DEEPEST or field.message_type is None) and draw(st.booleans()):
            if field.is_repeated:
                _fill_repeated(draw, field, message, depth)
            elif field.message_type is not None:
                getattr(message, field.name).SetInParent()
                fill(draw, getattr(message, field.name), depth + 1)
            else:
                setattr(message, field.name, draw(_scalar(field)))
    return message


def _fill_repeated(draw: st.DrawFn, field: FieldDescriptor, message: Any, depth: int) -> None:
    target = getattr(message, field.name)
    size = draw(st.integers(0, 2))
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[part] for part in ("key", "value"))
        for name in draw(st.lists(_scalar(key), max_size=size)):
            if value.message_type is not None:
                fill(draw, target[name], depth + 1)
            else:
                target[name] = draw(_scalar(value))
    elif field.message_type is not None:
        for _ in range(size):
            fill(draw, target.add(), depth + 1)
    else:
        target.extend(draw(st.lists(_scalar(field), max_size=size)))


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return st.binary(max_size=20) if field.type == FieldDescriptor.TYPE_BYTES else _SCALARS[field.cpp_type]


def _timestamp(draw: st.DrawFn, message: Any) -> None:
    message.seconds = draw(st.integers(_FIRST_SECOND, _LAST_SECOND))
    message.nanos = draw(st.sampled_from([0, 1, 80_000_000, 120_000, 999_999_999]))


def _duration(draw: st.DrawFn, message: Any) -> None:
    message.FromNanoseconds(draw(st.integers(-(10**18), 10**18)))


def _struct(draw: st.DrawFn, message: Any) -> None:
    message.update(draw(st.dictionaries(texts, json_values, max_size=3)))


def _value(draw: st.DrawFn, message: Any) -> None:
    message.struct_value.update({"value": draw(json_values)})


def _list(draw: st.DrawFn, message: Any) -> None:
    message.extend(draw(st.lists(json_values, max_size=3)))


def _mask(draw: st.DrawFn, message: Any) -> None:
    message.paths.extend(draw(st.lists(st.sampled_from(["data", "data.text"]), max_size=2)))


_WELL_KNOWN = {
    f"{_PACKAGE}Timestamp": _timestamp,
    f"{_PACKAGE}Duration": _duration,
    f"{_PACKAGE}Struct": _struct,
    f"{_PACKAGE}Value": _value,
    f"{_PACKAGE}ListValue": _list,
    f"{_PACKAGE}FieldMask": _mask,
}
