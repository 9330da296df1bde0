"""Messages to JSON objects: one Python function per message type, generated and compiled once, at start.

Scalars and lists always appear; messages, `optional` scalars and members of a oneof only when they are set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding import scalars, wellknown
from gateway.transcoding.fields import (
    attribute,
    check_of,
    flat_fields,
    identifier,
    is_envelope,
    map_of,
    require_json_form,
)
from gateway.transcoding.words import words_of

Writer = Callable[[Any], Any]


class Writers:
    """The writers of all message types, each compiled when it is first asked for."""

    def __init__(self) -> None:
        self._scope: dict[str, Any] = {"octets_text": scalars.octets_text, "single_number": scalars.single_number}

    def writer(self, descriptor: Descriptor) -> Writer:
        """The writer of a message type: returns what `orjson.dumps` takes."""
        writer: Writer = self._scope[self._writer_name(descriptor)]
        return writer

    def _writer_name(self, descriptor: Descriptor) -> str:
        name = f"write_{identifier(descriptor.full_name)}"
        if name not in self._scope:
            require_json_form(descriptor)
            self._scope[name] = wellknown.WRITERS.get(descriptor.full_name)  # stands there before its body may need it
            if self._scope[name] is None:
                source = "\n".join(self._source(name, descriptor))
                code = compile(source, f"<JSON writer of {descriptor.full_name}>", "exec")
                exec(code, self._scope)  # noqa: S102  made from our own descriptors alone
        return name

    def _source(self, name: str, descriptor: Descriptor) -> list[str]:
        lines = [f"def {name}(m):", "    o = {}"]
        if any(is_envelope(field) for field in descriptor.fields):
            lines += ["    if m.HasField('envelope'):", "        e = m.envelope"]
            lines += self._assignments([item for item in flat_fields(descriptor) if item[0] == "e"], "        ")
        lines += self._assignments([item for item in flat_fields(descriptor) if item[0] == "m"], "    ")
        return [*lines, "    return o"]

    def _assignments(self, fields: list[tuple[str, FieldDescriptor]], indent: str) -> list[str]:
        return [
            f"{indent}if {owner}.HasField({field.name!r}): o[{field.name!r}] = {self._value(owner, field)}"
            if field.has_presence
            else f"{indent}o[{field.name!r}] = {self._value(owner, field)}"
            for owner, field in fields
        ]

    def _value(self, owner: str, field: FieldDescriptor) -> str:
        source = attribute(owner, field)
        if entry := map_of(field):
            key, value = entry
            key_text = {"text": "k", "boolean": "'true' if k else 'false'"}.get(check_of(key), "str(k)")
            return f"{{{key_text}: {self._item(value, 'v')} for k, v in {source}.items()}}"
        if field.is_repeated:
            item = self._item(field, "v")
            return f"list({source})" if item == "v" else f"[{item} for v in {source}]"
        return self._item(field, source)

    def _item(self, field: FieldDescriptor, source: str) -> str:
        if field.message_type is not None:
            return f"{self._writer_name(field.message_type)}({source})"
        if field.enum_type is not None:
            words = f"words_{identifier(field.enum_type.full_name)}"
            self._scope.setdefault(words, words_of(field.enum_type))
            return f"{words}[{source}]"
        function = {"octets": "octets_text", "single": "single_number"}.get(check_of(field))
        return f"{function}({source})" if function else source
