"""A conversation as one text, for servers that take nothing else: by the model's own chat template, or by roles in tags."""

from __future__ import annotations

from pathlib import Path

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, SalamError

# A text cannot open a turn of its own: the sign that begins a tag is broken up in it.
ROLES_IN_TAGS = """\
{% for message in messages -%}
<|{{ message.role }}|>
{{ message.content | replace("<|", "< |") }}
{% endfor -%}
<|assistant|>
"""
STOPS = ("<|user|>", "<|system|>", "<|assistant|>", "<|tool|>")
"""What ends a reply under ROLES_IN_TAGS, for models that would go on with the other's turn."""

_ROLES = {
    chat_pb2.CHAT_ROLE_SYSTEM: "system",
    chat_pb2.CHAT_ROLE_DEVELOPER: "system",
    chat_pb2.CHAT_ROLE_USER: "user",
    chat_pb2.CHAT_ROLE_ASSISTANT: "assistant",
    chat_pb2.CHAT_ROLE_TOOL: "tool",
}


class ChatTemplate:
    """A Jinja template as models bring them along: `messages` with `role` and `content`, `add_generation_prompt`."""

    def __init__(self, source: str | None = None) -> None:
        """Raises ValueError for what is no template."""
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(source or ROLES_IN_TAGS)
        except TemplateError as error:
            raise ValueError(f"no chat template: {error}") from error
        self.stops = () if source else STOPS

    @classmethod
    def read(cls, path: Path) -> ChatTemplate:
        """The template of a file. Raises OSError or ValueError."""
        return cls(path.read_text("utf-8"))

    def render(self, data: chat_pb2.ChatInput) -> str:
        """The text up to where the reply begins. Raises InvalidInput for a conversation the template does not take."""
        messages = [
            {"role": _ROLES[message.role], "content": "".join(part.text for part in message.content)}
            for message in data.messages
        ]
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, bos_token="", eos_token="")
        except SalamError:
            raise
        except Exception as error:  # whatever an operator's template does
            raise InvalidInput("the model's chat template does not take this conversation") from error


def _refuse(message: str) -> None:
    raise InvalidInput("the model's chat template does not take this conversation")
