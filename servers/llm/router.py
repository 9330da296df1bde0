"""Chooses the models that may go on with a conversation, and goes on to the next one when one fails before it said anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import chain as concatenated

from servers.kit.errors import InvalidInput, PermissionDenied, Violation
from servers.llm.backend import Backend, Conversation, Finished, Piece
from servers.llm.catalogue import Offer, refresh
from servers.llm.health import Health
from servers.llm.opening import begin
from servers.llm.selection import Demands, Deployment, Policy, ranked

AUTO = "auto"


class Router:
    """The backends, the best first."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._offers = [Offer(backend) for backend in backends]
        self._healths: dict[tuple[str, str], Health] = {}

    async def models(self) -> list[tuple[str, str, bool]]:
        """Every model: its name, its backend, and whether it can be asked now; `auto` stands for those nobody could list."""
        await refresh(self._offers)
        found = []
        for offer in self._offers:
            backend = offer.backend.traits.name
            found += [
                (item.model.name, backend, offer.problem is None and item.health.breaker.closed)
                for item in self._deployments(offer)
                if not item.model.embeds
            ]
            if offer.problem is not None and not offer.models:
                found.append((AUTO, backend, False))
        return found

    async def choose(self, conversation: Conversation, policy: Policy | None = None) -> Sequence[Deployment]:
        """The models to try for a conversation, in order: those of the name it asks for, or by policy for `auto`.

        Raises InvalidInput for a model that nobody serves and for a conversation that no model can take, PermissionDenied
        for a model that the policy does not allow, and what the backends raised when none can be asked.
        """
        name = conversation.data.model
        policy = policy or Policy()
        demands = Demands(conversation)
        if name in ("", AUTO):
            await refresh(self._offers)
            chain = ranked(concatenated.from_iterable(map(self._deployments, self._offers)), demands, policy)
            if not chain:
                raise self._nobody("no model can take this conversation")
            return chain
        served = await self._named(name)
        if not all(map(policy.allows, served)):
            raise PermissionDenied(f"the tenant may not use the model {name}")
        able = [deployment for deployment in served if demands.met_by(deployment.model)]
        if not able:
            raise self._nobody(f"the model {name} cannot take this conversation")
        return sorted(able, key=lambda deployment: (not deployment.health.breaker.closed, deployment.health.load))

    async def write(self, conversation: Conversation, chain: Sequence[Deployment]) -> AsyncGenerator[Piece]:
        """Writes a reply with the first of `chain` that answers.

        Raises what the last one failed with when none does, and UpstreamError or Timeout when one fails in the middle of
        its reply: half a reply cannot be taken back.
        """
        attempt, piece = await begin(conversation, chain)
        try:
            yield piece
            if not isinstance(piece, Finished):
                async with aclosing(attempt.rest()) as rest:
                    async for piece in rest:
                        yield piece
        finally:
            await attempt.close()

    async def _named(self, name: str) -> Sequence[Deployment]:
        # What needs nothing never waits for a server that is down.
        last = [offer for offer in self._offers if offer.backend.traits.last_resort]
        for offers in (last, self._offers):
            await refresh(offers)
            served = [
                deployment
                for offer in offers
                for deployment in self._deployments(offer)
                if deployment.model.name == name and not deployment.model.embeds
            ]
            if served:
                return served
        for offer in self._offers:
            if offer.problem is not None and not offer.models:
                raise offer.problem  # it may well be the one that serves it
        raise InvalidInput(
            f"no model {name} is served; list them at /v1/llm/models",
            violations=[Violation("data.model", "is not a model that is served; use `auto`")],
        )

    def _deployments(self, offer: Offer[Backend]) -> Iterator[Deployment]:
        for model in offer.models:
            key = offer.backend.traits.name, model.name
            health = self._healths.get(key)
            if health is None:
                health = self._healths[key] = Health()
            yield Deployment(offer.backend, model, health)

    @staticmethod
    def _nobody(problem: str) -> InvalidInput:
        rule = "asks for what no model offers, or leaves no room for a reply in any window"
        return InvalidInput(f"{problem}: it {rule}", violations=[Violation("data.messages", rule)])
