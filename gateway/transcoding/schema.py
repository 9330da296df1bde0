"""JSON Schemas of messages: their fields as REST shows them, with protovalidate's rules as constraints."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding import wellknown
from gateway.transcoding.fields import check_of, flat_fields, is_envelope, map_of
from gateway.transcoding.words import words_of

Schema = dict[str, Any]

FILLED_IN = frozenset({"schema_version", "correlation_id", "timestamp", "locale"})
"""What the contract lets a client leave out of the envelope."""

_SCALARS: dict[str, Schema] = {
    "double": {"type": "number", "format": "double"},
    "single": {"type": "number", "format": "float"},
    "int32": {"type": "integer", "format": "int32"},
    "uint32": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    "int64": {"type": "integer", "format": "int64"},
    "uint64": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "octets": {"type": "string", "format": "byte"},
}
_WELL_KNOWN: dict[str, Schema] = {
    f"{wellknown.PACKAGE}Timestamp": {"type": "string", "format": "date-time"},
    f"{wellknown.PACKAGE}Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    f"{wellknown.PACKAGE}FieldMask": {"type": "string"},
    f"{wellknown.PACKAGE}Struct": {"type": "object"},
    f"{wellknown.PACKAGE}ListValue": {"type": "array", "items": {}},
    f"{wellknown.PACKAGE}Value": {},
}
_FORMATS = {"email": "email", "hostname": "hostname", "ipv4": "ipv4", "ipv6": "ipv6", "uri": "uri", "uuid": "uuid"}
_BOUNDS = {"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum"}


class Schemas:
    """The schemas of messages, by component name; a message's schema is made when it is first referred to.

    `in_path` are the full names of fields that a path sets beside a body, where they may be left out.
    """

    def __init__(self, comments: dict[str, str], in_path: AbstractSet[str]) -> None:
        self._in_path = in_path
        self.components: dict[str, Schema] = {}
        self._comments = comments

    def reference(self, descriptor: Descriptor) -> Schema:
        """A reference to a message's schema, or the schema itself of a well-known type."""
        known = _WELL_KNOWN.get(descriptor.full_name)
        if known is not None:
            return dict(known)
        name = descriptor.full_name.removeprefix("salambot.")
        if name not in self.components:
            self.components[name] = {}  # stands there before a message that holds itself asks for it
            self.components[name].update(self._message(descriptor))
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of a field with its constraints and its comment."""
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if entry := map_of(field):
            key, value = entry
            schema: Schema = {
                "type": "object",
                "additionalProperties": {**self._single(value), **_constraints(value, rules.map.values)},
                **_present(rules.map, min_pairs="minProperties", max_pairs="maxProperties"),
            }
            if names := _constraints(key, rules.map.keys):
                schema["propertyNames"] = names
        elif field.is_repeated:
            schema = {
                "type": "array",
                "items": {**self._single(field), **_constraints(field, rules.repeated.items)},
                **_present(rules.repeated, min_items="minItems", max_items="maxItems"),
            }
            if rules.repeated.unique:
                schema["uniqueItems"] = True
        else:
            schema = {**self._single(field), **_constraints(field, rules)}
        words = [
            self._comments.get(field.full_name, ""),
            *(f"Rule: {rule.message}." for rule in rules.cel if rule.message),
        ]
        if description := " ".join(word for word in words if word):
            schema["description"] = description
        return schema

    def _single(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.reference(field.message_type)
        if field.enum_type is not None:
            return {"type": "string", "enum": list(words_of(field.enum_type).values())}
        return dict(_SCALARS[check_of(field)])

    def _message(self, descriptor: Descriptor) -> Schema:
        fields = flat_fields(descriptor)
        schema: Schema = {
            "type": "object",
            "properties": {field.name: self.field(field) for _, field in fields},
            "additionalProperties": False,
        }
        if description := self._comments.get(descriptor.full_name):
            schema["description"] = description
        enveloped = any(is_envelope(field) for field in descriptor.fields)
        required = [
            field.name
            for _, field in fields
            if is_required(field)
            and field.full_name not in self._in_path
            and not (enveloped and field.name in FILLED_IN)
        ]
        if required:
            schema["required"] = required
        return schema


def is_required(field: FieldDescriptor) -> bool:
    """Whether leaving the field out breaks one of its rules."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if rules.required:
        return True
    if field.has_presence or rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return False
    return bool(
        rules.string.min_len
        or rules.string.len
        or _refuses_nothing(rules.string.pattern)
        or rules.bytes.min_len
        or rules.repeated.min_items
        or rules.map.min_pairs
        or 0 in rules.enum.not_in
    )


def _refuses_nothing(pattern: str) -> bool:
    """Whether a pattern refuses the empty string; patterns that only RE2 reads (`\\p{L}`) are taken to refuse it."""
    try:
        return bool(pattern) and re.search(pattern, "") is None
    except re.error:
        return True


def _constraints(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    """The rules of a single value as JSON Schema; rules that it has no word for stand in the description."""
    kind = rules.WhichOneof("type")
    if kind is None or kind in ("repeated", "map", "any", "timestamp", "duration", "field_mask"):
        return {}
    of_kind = getattr(rules, kind)
    if field.enum_type is not None:
        refused = {*of_kind.not_in}
        allowed = {of_kind.const} if of_kind.HasField("const") else {*getattr(of_kind, "in")}
        return {
            "enum": [
                word
                for number, word in words_of(field.enum_type).items()
                if number not in refused and (not allowed or number in allowed)
            ]
        }
    if kind == "string":
        schema = _present(of_kind, min_len="minLength", max_len="maxLength", pattern="pattern", const="const")
        if of_kind.HasField("len"):
            schema.update(minLength=of_kind.len, maxLength=of_kind.len)
        form = of_kind.WhichOneof("well_known")
        if form in _FORMATS:
            schema["format"] = _FORMATS[form]
    elif kind in ("bytes", "bool"):
        schema = {}
    else:
        schema = _present(of_kind, const="const", **_BOUNDS)
    if kind != "bool" and getattr(of_kind, "in"):
        schema["enum"] = list(getattr(of_kind, "in"))
    return schema


def _present(rules: Any, **names: str) -> Schema:
    """The rules that are set, under JSON Schema's names."""
    return {name: getattr(rules, rule) for rule, name in names.items() if rules.HasField(rule)}
