"""JSON objects to messages: one Python function per message type, generated and compiled once, at start.

A generated reader takes the keys one by one in a straight line, so that a good request pays for a dictionary look-up
and a type check per field; where a value is refused, the exception collects the path on its way up.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding import scalars, wellknown
from gateway.transcoding.fields import (
    assignment,
    attribute,
    check_of,
    choice_of,
    flat_fields,
    identifier,
    map_of,
    require_json_form,
)
from gateway.transcoding.refusal import Refused, wrong_type
from gateway.transcoding.words import numbers_of, word

Reader = Callable[[object, Any], None]
Check = Callable[[Any], Any]

_INTEGERS = {"int32": scalars.INT32, "uint32": scalars.UINT32, "int64": scalars.INT64, "uint64": scalars.UINT64}


class Readers:
    """The readers of all message types, each compiled when it is first asked for."""

    def __init__(self) -> None:
        self._scope: dict[str, Any] = {
            "Refused": Refused,
            "wrong_type": wrong_type,
            "refuse_unknown": _refuse_unknown,
            "refuse_second": _refuse_second,
            "scalars_of": _scalars,
            "messages_of": _messages,
            "entries_of": _entries,
            "message_entries_of": _message_entries,
            "text": scalars.text,
            "double": scalars.double,
            "single": scalars.single,
            "boolean": scalars.boolean,
            "octets": scalars.octets,
            "boolean_key": lambda key: scalars.boolean(scalars.plain(key)),
        }
        for name, (low, high) in _INTEGERS.items():
            self._scope[name] = partial(scalars.integer, low=low, high=high)
            self._scope[f"{name}_key"] = partial(_integer_key, low=low, high=high)

    def reader(self, descriptor: Descriptor) -> Reader:
        """The reader of a message type: sets an empty message from a JSON value, or raises Refused."""
        name = self._reader_name(descriptor)
        reader: Reader = self._scope[name]
        return reader

    def _reader_name(self, descriptor: Descriptor) -> str:
        name = f"read_{identifier(descriptor.full_name)}"
        if name not in self._scope:
            require_json_form(descriptor)
            self._scope[name] = wellknown.READERS.get(descriptor.full_name)  # stands there before its body may need it
            if self._scope[name] is None:
                source = "\n".join(self._source(name, descriptor))
                code = compile(source, f"<JSON reader of {descriptor.full_name}>", "exec")
                exec(code, self._scope)  # noqa: S102  made from our own descriptors alone
        return name

    def _source(self, name: str, descriptor: Descriptor) -> list[str]:
        fields = flat_fields(descriptor)
        self._scope[f"names_{name}"] = frozenset(field.name for _, field in fields)
        choices = {choice for _, field in fields if (choice := choice_of(field))}
        return [
            f"def {name}(o, m):",
            "    if type(o) is not dict: wrong_type('an object', o)",
            "    m.SetInParent()",
            *(["    e = m.envelope"] if any(owner == "e" for owner, _ in fields) else []),
            *(f"    chosen_{choice} = None" for choice in sorted(choices)),
            "    get, seen, f = o.get, 0, None",
            "    try:",
            "        pass",  # a message may have no fields
            *(f"        {line}" for owner, field in fields for line in self._field(owner, field)),
            "    except Refused as refused:",
            "        raise refused.under(f)",
            f"    if seen != len(o): refuse_unknown(o, names_{name})",
        ]

    def _field(self, owner: str, field: FieldDescriptor) -> list[str]:
        message = field.message_type
        if message is not None and message.full_name == "google.protobuf.Value" and not field.is_repeated:
            # Here alone null is a value of its own.
            opening = [f"f = {field.name!r}", "if f in o:", "    v = o[f]"]
        else:
            opening = [f"f = {field.name!r}", "v = get(f)", "if v is not None:"]
        choice = choice_of(field)
        if choice:
            opening += [f"    if chosen_{choice}: refuse_second(chosen_{choice})", f"    chosen_{choice} = f"]
        return [*opening, "    seen += 1", f"    {self._assign(owner, field)}"]

    def _assign(self, owner: str, field: FieldDescriptor) -> str:
        target = attribute(owner, field)
        if entry := map_of(field):
            key, value = entry
            check = self._check(key)
            key_check = check if check == "text" else f"{check}_key"
            if value.message_type is not None:
                return f"message_entries_of(v, {target}, {key_check}, {self._reader_name(value.message_type)})"
            return f"entries_of(v, {target}, {key_check}, {self._check(value)})"
        if field.message_type is not None:
            reader = self._reader_name(field.message_type)
            return f"messages_of(v, {target}.add, {reader})" if field.is_repeated else f"{reader}(v, {target})"
        check = self._check(field)
        if field.is_repeated:
            return f"{target}.extend(scalars_of(v, {check}))"
        return assignment(owner, field, _quick(check))

    def _check(self, field: FieldDescriptor) -> str:
        name = check_of(field)
        if field.enum_type and name not in self._scope:
            self._scope[name] = partial(word, numbers=numbers_of(field.enum_type))
        return name


def _quick(check: str) -> str:
    """The check of `v`, with what is usual decided in line."""
    if check == "text":
        return "v if type(v) is str and v.isascii() and '\\0' not in v else text(v)"
    if check in _INTEGERS:
        low, high = _INTEGERS[check]
        return f"v if type(v) is int and {low} <= v <= {high} else {check}(v)"
    return f"{check}(v)"


def _integer_key(key: str, low: int, high: int) -> int:
    return scalars.integer(scalars.plain(key), low, high)


def _refuse_unknown(given: dict[str, object], known: Collection[str]) -> None:
    """Refuses the first key that is no field; keys that hold null are left out, but must be known too."""
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            meant = f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(sorted(known)) or 'none'}"
            raise Refused(f"is not a field here; {meant}", key)


def _refuse_second(first: str) -> None:
    raise Refused(f"cannot be given together with `{first}`: give one of them")


def _scalars(value: object, check: Check) -> list[Any]:
    if type(value) is not list:
        wrong_type("a list", value)
    checked: list[Any] = []
    try:
        for item in value:
            checked.append(check(item))  # noqa: PERF401  its length is the index of the item that is refused
    except Refused as refused:
        raise refused.under(len(checked)) from None
    return checked


def _messages(value: object, add: Callable[[], Any], reader: Reader) -> None:
    if type(value) is not list:
        wrong_type("a list", value)
    for index, item in enumerate(value):
        try:
            reader(item, add())
        except Refused as refused:
            raise refused.under(index) from None


def _entries(value: object, target: Any, key_check: Check, check: Check) -> None:
    if type(value) is not dict:
        wrong_type("an object", value)
    for key, item in value.items():
        try:
            target[key_check(key)] = check(item)
        except Refused as refused:
            raise refused.under(key) from None


def _message_entries(value: object, target: Any, key_check: Check, reader: Reader) -> None:
    if type(value) is not dict:
        wrong_type("an object", value)
    for key, item in value.items():
        try:
            reader(item, target[key_check(key)])
        except Refused as refused:
            raise refused.under(key) from None
