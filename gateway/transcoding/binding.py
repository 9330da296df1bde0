"""Path variables and query parameters as part of the JSON request, so that one codec checks everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding import wellknown
from gateway.transcoding.contract import Binding, ContractError, Rpc
from gateway.transcoding.fields import map_of
from gateway.transcoding.refusal import Refused
from gateway.transcoding.router import decoded
from gateway.transcoding.scalars import plain

_DATA = "data."
_MOST_PARAMETERS = 64
_TEXTUAL = frozenset({FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM})
_TEXTUAL_MESSAGES = frozenset({f"{wellknown.PACKAGE}{name}" for name in ("Timestamp", "Duration", "FieldMask")})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field that the URL sets: its path in the request, and whether it may stand several times."""

    field: FieldDescriptor
    path: tuple[str, ...]

    @property
    def dotted(self) -> str:
        """The path as it is written in templates and errors."""
        return ".".join(self.path)

    def value(self, spelled: str) -> object:
        """The JSON value that text in a URL spells for this field."""
        textual = self.field.message_type is not None or self.field.cpp_type in _TEXTUAL
        return spelled if textual else plain(spelled)


class UrlBinding:
    """Puts what the URL of one REST form says into the JSON object of the request."""

    def __init__(self, rpc: Rpc, binding: Binding) -> None:
        request = rpc.descriptor.input_type
        self.variables = tuple(_variable(rpc, request, name) for name in binding.template.variables)
        taken = {variable.path for variable in self.variables}
        self.query = () if binding.with_body else tuple(p for p in _leaves(request) if p.path not in taken)
        self._by_name = {name: p for p in self.query for name in (p.dotted, p.dotted.removeprefix(_DATA))}

    def bind(self, given: dict[str, Any], values: tuple[str, ...], query: bytes) -> None:
        """Sets the variables and parameters in `given`; raises Refused naming the field."""
        for variable, value in zip(self.variables, values, strict=True):
            try:
                spelled = variable.value(decoded(value))
            except UnicodeDecodeError:
                raise Refused("must be UTF-8 in the path", *variable.path) from None
            _set(given, variable, spelled)
        if query:
            self._bind_query(given, query)

    def _bind_query(self, given: dict[str, Any], query: bytes) -> None:
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
            )
        except ValueError:
            raise Refused(f"must have a query of at most {_MOST_PARAMETERS} parameters in UTF-8") from None
        for name, value in pairs:
            parameter = self._by_name.get(name)
            if parameter is None:
                known = ", ".join(p.dotted.removeprefix(_DATA) for p in self.query) or "none"
                raise Refused(f"is not a query parameter here; known are: {known}", *name.split("."))
            if parameter.field.is_repeated:
                _parent(given, parameter).setdefault(parameter.path[-1], []).append(parameter.value(value))
            elif parameter.path[-1] in _parent(given, parameter):
                raise Refused("is given twice", *parameter.path)
            else:
                _set(given, parameter, parameter.value(value))


def _parent(given: dict[str, Any], parameter: Parameter) -> dict[str, Any]:
    """The object that holds the field; made where the request leaves it out."""
    owner = given
    for index, part in enumerate(parameter.path[:-1]):
        inner = owner.get(part)
        if inner is None:
            inner = owner[part] = {}
        elif type(inner) is not dict:
            raise Refused("must be an object", *parameter.path[: index + 1])
        owner = inner
    return owner


def _set(given: dict[str, Any], parameter: Parameter, value: object) -> None:
    owner = _parent(given, parameter)
    name = parameter.path[-1]
    given_already = owner.get(name)
    if given_already is not None and given_already != value:
        raise Refused("must be the same in the path and in the body, or left out of the body", *parameter.path)
    owner[name] = value


def _variable(rpc: Rpc, request: Descriptor, dotted: str) -> Parameter:
    path = tuple(dotted.split("."))
    descriptor: Descriptor | None = request
    field = None
    for name in path:
        field = descriptor.fields_by_name.get(name) if descriptor else None
        if field is None or field.is_repeated:
            raise ContractError(f"{rpc.descriptor.full_name}: the path variable {dotted} is no field of the request")
        descriptor = field.message_type
    if field is None or descriptor is not None:
        raise ContractError(f"{rpc.descriptor.full_name}: the path variable {dotted} must be a scalar")
    return Parameter(field, path)


def _leaves(request: Descriptor) -> list[Parameter]:
    """The fields of `data` that a query can spell: scalars, times and lists of them, also those of inner messages."""
    data = request.fields_by_name.get("data")
    return _leaves_of(data.message_type, ("data",), ()) if data and data.message_type else []


def _leaves_of(descriptor: Descriptor, path: tuple[str, ...], above: tuple[str, ...]) -> list[Parameter]:
    leaves: list[Parameter] = []
    for field in descriptor.fields:
        here = (*path, field.name)
        message = field.message_type
        if message is None or message.full_name in _TEXTUAL_MESSAGES:
            leaves.append(Parameter(field, here))
        elif not (map_of(field) or field.is_repeated or message.full_name in {*above, *wellknown.WRITERS}):
            leaves.extend(_leaves_of(message, here, (*above, descriptor.full_name)))
    return leaves
