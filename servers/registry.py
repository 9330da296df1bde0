"""The components of SalamBot, one line each.

A component is `proto/salambot/<name>/v1/`, `servers/<name>/` (its `servicer.py` opens the servicer), `tests/<name>/`
and its line here. One that is not built yet answers UNIMPLEMENTED on every RPC and says so in its health.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import ServiceDescriptor

if TYPE_CHECKING:
    from servers.kit.platform import Platform


@dataclass(frozen=True, slots=True)
class Component:
    """One component: its name, its service in the contract, and what it cannot do without.

    `needs` are names of the platform's dependencies: postgres, inference, vectors. Redis is never among them: without
    it there is no cache, and limits do as configured. `uses` are further ones that it can do without.
    """

    name: str
    service: str
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    built: bool = True

    @property
    def full_name(self) -> str:
        """Full name of the gRPC service."""
        return f"salambot.{self.name}.v1.{self.service}"

    @property
    def descriptor(self) -> ServiceDescriptor:
        """The service as the contract describes it."""
        module = import_module(f"salambot.{self.name}.v1.{self.name}_service_pb2")
        return module.DESCRIPTOR.services_by_name[self.service]  # type: ignore[no-any-return]

    def add(self, servicer: Any, server: Any) -> None:
        """Adds a servicer to a server: a grpc.aio one, or the handlers of this process."""
        module = import_module(f"salambot.{self.name}.v1.{self.name}_service_pb2_grpc")
        getattr(module, f"add_{self.service}Servicer_to_server")(servicer, server)

    def open(self, platform: Platform) -> AbstractAsyncContextManager[Any]:
        """Opens the servicer of a built component."""
        return import_module(f"servers.{self.name}.servicer").open_servicer(platform)  # type: ignore[no-any-return]

    def unbuilt(self) -> Any:
        """A servicer that answers UNIMPLEMENTED to everything: the generated base class."""
        module = import_module(f"salambot.{self.name}.v1.{self.name}_service_pb2_grpc")
        return getattr(module, f"{self.service}Servicer")()


COMPONENTS = (
    Component("nlu", "NLUService", needs=("postgres", "inference")),
    Component("rag", "RAGService", needs=("postgres", "inference", "vectors")),
    Component("llm", "LLMService", uses=("inference",)),
    Component("orchestrator", "OrchestratorService", needs=("postgres",)),
    Component("channels", "ChannelsService", built=False),
    Component("webchat", "WebchatService", built=False),
    Component("ticketing", "TicketingService", built=False),
    Component("incident", "IncidentService", built=False),
    Component("admin", "AdminService", built=False),
    Component("observability", "ObservabilityService", built=False),
    Component("assist", "AssistService", built=False),
    Component("learning", "LearningService", built=False),
    Component("memory", "MemoryService", built=False),
    Component("agent", "AgentService", built=False),
)


def select(names: Collection[str]) -> tuple[Component, ...]:
    """The components of these names, all of them without any; raises ValueError naming one that there is not."""
    known = {component.name: component for component in COMPONENTS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no component {name}; there are {', '.join(known)}")
    return tuple(known[name] for name in names) if names else COMPONENTS
