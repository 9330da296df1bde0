"""What a caller asks for, as a conversation that a model can go on with; checked where the contract cannot say the rule."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import orjson
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2, llm_pb2

from servers.kit.call import current
from servers.kit.errors import InvalidInput, Violation
from servers.kit.tenants import Tenants
from servers.llm import tokens
from servers.llm.backend import Conversation, Exchange, LanguageOf, Passage, Prompt
from servers.llm.instructions import conversation_of


class Conversations:
    """Makes them from requests."""

    def __init__(self, tenants: Tenants, language_of: LanguageOf) -> None:
        self._tenants = tenants
        self._language_of = language_of

    async def of_prompt(self, data: llm_pb2.GenerateInput) -> Conversation:
        """Raises InvalidInput for a prompt that is too long."""
        if tokens.count(data.prompt) > tokens.MOST_IN_PROMPT:
            rule = f"must not be longer than {tokens.MOST_IN_PROMPT} tokens"
            raise InvalidInput(f"the prompt {rule}", violations=[Violation("data.prompt", rule)])
        tenant = await self._tenants.get(current().tenant)
        passages = [
            Passage(text, 1.0 if score is None else score, language or envelope_pb2.LANGUAGE_UNSPECIFIED)
            for text, score, language in zip_longest(data.context, data.scores, data.languages)
            if text is not None
        ]
        prompt = Prompt(
            text=data.prompt,
            language=data.language if data.HasField("language") else await self._language_of(data.prompt),
            intent=data.intent,
            passages=passages,
            history=[Exchange(turn.user_text, turn.reply_text) for turn in data.history],
            templates=tenant.settings.get("response_templates", {}),
        )
        return conversation_of(prompt, data.model)

    @staticmethod
    def of_chat(data: chat_pb2.ChatInput) -> Conversation:
        """Raises InvalidInput for tools, formats and messages that do not fit together."""
        violations = list(_violations(data))
        if violations:
            first = violations[0]
            raise InvalidInput(f"{first.field} {first.description}", violations=violations)
        return Conversation(data)


def _violations(data: chat_pb2.ChatInput) -> Iterator[Violation]:
    for index, tool in enumerate(data.tools):
        if tool.parameters and not _is_object(tool.parameters):
            yield Violation(f"data.tools[{index}].parameters", "must be a JSON object")
    if data.tool_mode == chat_pb2.TOOL_MODE_REQUIRED and not data.tools:
        yield Violation("data.tools", "must not be empty where a call is required")
    if data.tool_mode == chat_pb2.TOOL_MODE_FUNCTION and data.tool_name not in {tool.name for tool in data.tools}:
        yield Violation("data.tool_name", "must be the name of one of the tools")
    if data.response_format.type == "json_schema" and not _is_object(data.response_format.schema):
        yield Violation("data.response_format.schema", "must be a JSON object")
    for index, message in enumerate(data.messages):
        if message.role == chat_pb2.CHAT_ROLE_TOOL and not message.tool_call_id:
            yield Violation(f"data.messages[{index}].tool_call_id", "must say which call is answered")
        if message.tool_calls and message.role != chat_pb2.CHAT_ROLE_ASSISTANT:
            yield Violation(f"data.messages[{index}].tool_calls", "belong to an assistant's message")


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except ValueError:
        return False
