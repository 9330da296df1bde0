"""The contract as the gateway finds it at start: services, their REST bindings, and what the .proto files say of them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from salambot.common.v1 import options_pb2

from gateway.transcoding.template import Template

DESCRIPTORS = "api.binpb"
_PACKAGE = "salambot"
_DEFAULT_TIMEOUT_S = 30.0


class ContractError(Exception):
    """The descriptors are missing, or ask for something the gateway cannot serve; raised at start."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One REST form of an RPC: an HTTP method, a path template, and whether the request is in the body."""

    verb: str
    template: Template
    with_body: bool


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC with its REST forms. `timeout_s` is the longest it may run, by its policy, in seconds."""

    descriptor: MethodDescriptor
    bindings: tuple[Binding, ...]
    timeout_s: float
    example: options_pb2.Example

    @property
    def path(self) -> str:
        """`/package.Service/Method`, as gRPC addresses it."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All services of the installation with the comments of their .proto files, by full name."""

    services: tuple[ServiceDescriptor, ...]
    comments: dict[str, str]

    def rpcs(self) -> Iterator[Rpc]:
        """The RPCs that have a REST form."""
        for service in self.services:
            for method in service.methods:
                rpc = rpc_of(method)
                if rpc.bindings:
                    yield rpc


def load_contract() -> Contract:
    """Reads the descriptors that are packed beside the generated code and imports that code.

    Raises ContractError when they are missing.
    """
    file = resources.files(_PACKAGE) / DESCRIPTORS
    if not file.is_file():
        raise ContractError(f"{DESCRIPTORS} is not in the package `{_PACKAGE}`: run `make gen`")
    described = FileDescriptorSet.FromString(file.read_bytes())
    services: list[ServiceDescriptor] = []
    comments: dict[str, str] = {}
    for proto in described.file:
        if not proto.package.startswith(f"{_PACKAGE}."):
            continue
        importlib.import_module(proto.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        services.extend(
            descriptor_pool.Default().FindServiceByName(f"{proto.package}.{item.name}") for item in proto.service
        )
        comments.update(_comments(proto))
    return Contract(tuple(services), comments)


def rpc_of(method: MethodDescriptor) -> Rpc:
    """The REST forms of an RPC, from its `google.api.http` option."""
    options = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    bindings = tuple(_binding(method, item) for item in (rule, *rule.additional_bindings) if item.WhichOneof("pattern"))
    if bindings and method.client_streaming:
        raise ContractError(f"{method.full_name}: a stream of requests has no REST form")
    policy = options.Extensions[options_pb2.policy]
    return Rpc(
        method, bindings, policy.timeout_ms / 1000 or _DEFAULT_TIMEOUT_S, options.Extensions[options_pb2.example]
    )


def _binding(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding:
    pattern = rule.WhichOneof("pattern")
    if rule.body not in ("", "*"):
        raise ContractError(f"{method.full_name}: the body must be `*` or left out, not `{rule.body}`")
    if pattern == "custom":
        verb, path = rule.custom.kind, rule.custom.path
    else:
        verb, path = str(pattern).upper(), getattr(rule, str(pattern))
    try:
        return Binding(verb, Template.parse(path), rule.body == "*")
    except ValueError as error:
        raise ContractError(f"{method.full_name}: {error}") from None


def _comments(file: FileDescriptorProto) -> dict[str, str]:
    """The leading comments of a file's elements by full name, each paragraph on one line."""
    comments: dict[str, str] = {}
    for location in file.source_code_info.location:
        if location.leading_comments:
            name = _named(file, list(location.path))
            if name:
                comments[f"{file.package}.{name}"] = _paragraphs(location.leading_comments)
    return comments


def _named(file: FileDescriptorProto, path: list[int]) -> str:
    """The name within the file of the element a path of numbers leads to; empty when it leads to none."""
    names: list[str] = []
    element: Any = file
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = element.DESCRIPTOR.fields_by_number[number]
        if not field.is_repeated or field.message_type is None:
            return ""
        element = getattr(element, field.name)[index]
        if not hasattr(element, "name"):
            return ""
        names.append(element.name)
    return ".".join(names) if len(path) % 2 == 0 else ""


def _paragraphs(comment: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", comment.strip()))
