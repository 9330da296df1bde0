"""Which models may go on with a conversation, and in what order they are tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

from servers.llm.backend import Backend, Conversation, Model
from servers.llm.health import Health
from servers.llm.tokens import count_chat

Preferred = Literal["order", "cost", "latency"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant allows and prefers.

    `allowed` are names of models, all of them when None; the last resort is always allowed. `prefer` orders those that
    `auto` may choose: as the operator listed the backends, the cheapest first, or the one that begins soonest first.
    `most_cost` is in millionths of a US dollar for one call; None does not limit it.
    """

    allowed: frozenset[str] | None = None
    prefer: Preferred = "order"
    most_cost: int | None = None

    def allows(self, deployment: Deployment) -> bool:
        """Whether the tenant may use it."""
        return self.allowed is None or deployment.backend.traits.last_resort or deployment.model.name in self.allowed


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model on a backend, and its health."""

    backend: Backend
    model: Model
    health: Health

    @property
    def name(self) -> str:
        """For logs and metrics."""
        return f"{self.backend.traits.name}/{self.model.name}"


class Demands:
    """What a conversation asks of a model."""

    def __init__(self, conversation: Conversation) -> None:
        """Only prompts tell their language, and only they can be fitted to a window."""
        data, prompt = conversation.data, conversation.prompt
        forced = data.tool_mode in (chat_pb2.TOOL_MODE_REQUIRED, chat_pb2.TOOL_MODE_FUNCTION)
        shaped = data.HasField("response_format") and data.response_format.type != "text"
        pictures = any(part.HasField("image_url") for message in data.messages for part in message.content)
        self.tools = bool(data.tools) and data.tool_mode != chat_pb2.TOOL_MODE_NONE
        self.beyond_text = forced or shaped or pictures
        self.language = prompt.language if prompt else envelope_pb2.LANGUAGE_UNSPECIFIED
        self._data = data
        self._fixed = prompt is None

    @cached_property
    def tokens(self) -> int:
        """Tokens of the prompt, roughly; counted when a window or a price asks for it."""
        return count_chat(self._data)

    def met_by(self, model: Model) -> bool:
        """Whether the model can serve it at all."""
        return not model.embeds and not (model.text_only and self.beyond_text) and self.fits(model)

    def fits(self, model: Model) -> bool:
        """Whether the prompt leaves room for a reply in the model's window."""
        if model.window is None or not self._fixed:
            return True
        return self.tokens + max(self._data.max_tokens, 1) <= model.window

    def cost(self, model: Model) -> int:
        """The most a reply can cost, in millionths of a US dollar, by what was counted."""
        if not (model.prompt_price or model.completion_price):
            return 0
        return model.cost(chat_pb2.TokenUsage(prompt_tokens=self.tokens, completion_tokens=self._data.max_tokens))


def ranked(deployments: Iterable[Deployment], demands: Demands, policy: Policy) -> Sequence[Deployment]:
    """Those that `auto` may choose, in the order they are tried; what cannot serve it or is not allowed is left out.

    Models good for the language come before others, those that take tools first where tools are offered, healthy ones
    before those that failed; then as the policy prefers, then as they were listed. The last resort is last.
    """
    able = [
        deployment
        for deployment in deployments
        if deployment.model.auto
        and demands.met_by(deployment.model)
        and policy.allows(deployment)
        and (policy.most_cost is None or demands.cost(deployment.model) <= policy.most_cost)
    ]

    def key(deployment: Deployment) -> tuple[bool, bool, bool, bool, float]:
        model, health = deployment.model, deployment.health
        match policy.prefer:
            case "cost":
                preferred: float = demands.cost(model)
            case "latency":
                preferred = health.load
            case "order":
                preferred = 0
        return (
            deployment.backend.traits.last_resort,
            bool(demands.language and model.languages and demands.language not in model.languages),
            demands.tools and model.text_only,
            not health.breaker.closed,
            preferred,
        )

    return sorted(able, key=key)
