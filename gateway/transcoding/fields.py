"""What the generated JSON code needs to know of a field, read from its descriptor."""

from __future__ import annotations

from keyword import iskeyword

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding import wellknown

ENVELOPE = "salambot.common.v1.Envelope"

_CHECKS = {
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "single",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_SINT64: "int64",
    FieldDescriptor.TYPE_SFIXED64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FIXED64: "uint64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_SINT32: "int32",
    FieldDescriptor.TYPE_SFIXED32: "int32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_FIXED32: "uint32",
    FieldDescriptor.TYPE_BOOL: "boolean",
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BYTES: "octets",
}


class NoJsonForm(Exception):
    """A type of the contract that JSON cannot carry here; raised at start."""


def identifier(full_name: str) -> str:
    """A full name as a Python identifier."""
    return full_name.replace(".", "_")


def map_of(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """The key and the value of a `map<…>`; None for other fields."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


def check_of(field: FieldDescriptor) -> str:
    """The name, in generated code, of the check that turns a JSON value into this field's scalar."""
    return f"word_{identifier(field.enum_type.full_name)}" if field.enum_type else _CHECKS[field.type]


def attribute(owner: str, field: FieldDescriptor) -> str:
    """The expression that reads the field; Protobuf names may be Python's keywords."""
    return f"getattr({owner}, {field.name!r})" if iskeyword(field.name) else f"{owner}.{field.name}"


def assignment(owner: str, field: FieldDescriptor, value: str) -> str:
    """The statement that sets the field."""
    if iskeyword(field.name):
        return f"setattr({owner}, {field.name!r}, {value})"
    return f"{owner}.{field.name} = {value}"


def choice_of(field: FieldDescriptor) -> str | None:
    """The name of the oneof the field belongs to; `optional` fields belong to none."""
    oneof = field.containing_oneof
    return None if oneof is None or is_optional(field) else oneof.name


def is_optional(field: FieldDescriptor) -> bool:
    """Whether the field is a scalar declared `optional`, which Protobuf keeps as a oneof of its own."""
    oneof = field.containing_oneof
    return oneof is not None and len(oneof.fields) == 1 and oneof.name == f"_{field.name}"


def is_envelope(field: FieldDescriptor) -> bool:
    """Whether the field is the envelope, whose keys stand beside `data` on REST."""
    return field.name == "envelope" and field.message_type is not None and field.message_type.full_name == ENVELOPE


def flat_fields(descriptor: Descriptor) -> list[tuple[str, FieldDescriptor]]:
    """The fields as REST shows them, each with the variable of generated code that holds it: `e` envelope, `m` message.

    The envelope's own fields come first and `data` comes last.
    """
    flat: list[tuple[str, FieldDescriptor]] = []
    rest: list[tuple[str, FieldDescriptor]] = []
    for field in descriptor.fields:
        if field.message_type is not None and is_envelope(field):
            flat.extend(("e", inner) for inner in field.message_type.fields)
        else:
            rest.append(("m", field))
    rest.sort(key=lambda item: bool(flat) and item[1].name == "data")
    names = [field.name for _, field in flat + rest]
    if len(set(names)) < len(names):
        raise NoJsonForm(f"{descriptor.full_name}: a field has the name of one of the envelope's")
    return flat + rest


def require_json_form(descriptor: Descriptor) -> None:
    """Raises NoJsonForm for the well-known types that the edge does not carry (Any, wrappers)."""
    name = descriptor.full_name
    if name.startswith(wellknown.PACKAGE) and name not in wellknown.WRITERS and name != f"{wellknown.PACKAGE}Empty":
        raise NoJsonForm(f"{name} has no JSON form at the REST edge: use a message or an `optional` scalar instead")
