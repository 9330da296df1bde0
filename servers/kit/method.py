"""What the contract says of each RPC, read once from its descriptor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from salambot.common.v1 import options_pb2

DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: its path (`/package.Service/Method`), its component, its policy, the classes of its messages.

    `timeout_s` is the longest it may run, in seconds. `contractual` is false for RPCs that carry no envelope (health,
    reflection): the kit only traces those. `bodiless` RPCs (GET and DELETE on REST, and uploads, whose body is a
    file) take their tenant from the credential when the envelope names none.
    """

    path: str
    component: str
    timeout_s: float
    scope: options_pb2.Scope.ValueType
    request: type[Message] | None
    response: type[Message] | None
    client_streaming: bool
    server_streaming: bool
    contractual: bool
    bodiless: bool = False

    @property
    def name(self) -> str:
        """`NLUService/Analyze`: the name used in metrics."""
        return self.path[1:].rsplit(".", 1)[-1]


def _of(descriptor: MethodDescriptor) -> Method:
    options = descriptor.GetOptions()
    policy = options.Extensions[options_pb2.policy]
    verb = options.Extensions[annotations_pb2.http].WhichOneof("pattern")
    upload = descriptor.client_streaming and not descriptor.server_streaming
    package = descriptor.containing_service.file.package
    return Method(
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        component=package.split(".")[1] if package.startswith("salambot.") else package,
        timeout_s=policy.timeout_ms / 1000 or DEFAULT_TIMEOUT_S,
        scope=policy.scope,
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
        contractual="envelope" in descriptor.input_type.fields_by_name,
        bodiless=verb in ("get", "delete") or (verb is None and upload),
    )


def methods_of(service: ServiceDescriptor) -> Iterable[Method]:
    """The RPCs of a service."""
    return (find(f"/{service.full_name}/{descriptor.name}") for descriptor in service.methods)


@cache
def find(path: str) -> Method:
    """The RPC at `path`, whether the contract knows it or not."""
    service, _, name = path[1:].partition("/")
    try:
        descriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        return Method(
            path, service, DEFAULT_TIMEOUT_S, options_pb2.SCOPE_UNSPECIFIED, None, None, False, False, contractual=False
        )
    return _of(descriptor)
