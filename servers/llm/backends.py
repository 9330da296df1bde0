"""Opens the backends of an installation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from servers.kit.platform import Platform
from servers.kit.settings import Settings, SettingsError
from servers.llm.adapters.chat_template import ChatTemplate
from servers.llm.adapters.encoder import Encoder
from servers.llm.adapters.extractive import Extractive
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.adapters.triton_tensorrt import TritonTensorRT
from servers.llm.adapters.triton_text import TritonText
from servers.llm.adapters.triton_vllm import TritonVllm
from servers.llm.backend import Backend, EmbeddingBackend, LanguageOf, Model, Traits
from servers.llm.configuration import BackendEntry, read_backends
from servers.llm.templates import Templates

_TRITON = {"triton_vllm": TritonVllm, "triton_tensorrt": TritonTensorRT}


@dataclass(frozen=True, slots=True)
class Backends:
    """Those that go on with conversations and those that make vectors, the best first."""

    chat: Sequence[Backend]
    embedding: Sequence[EmbeddingBackend]


@asynccontextmanager
async def open_backends(platform: Platform, language_of: LanguageOf) -> AsyncIterator[Backends]:
    """Those of the file, the one server of `SALAMBOT_LLM_URL`, then what is always there.

    Raises SettingsError when the file is wrong.
    """
    settings = platform.settings
    entries = read_backends(settings.llm_backends) if settings.llm_backends is not None else ()
    async with AsyncExitStack() as stack:
        opened: list[OpenAICompatible | TritonText] = []
        for entry in entries:
            opened.append(_open(entry))
            stack.push_async_callback(opened[-1].close)
        if settings.llm_url is not None:
            opened.append(_simple(settings, settings.llm_url))
            stack.push_async_callback(opened[-1].close)
        embedding = [backend for backend in opened if isinstance(backend, OpenAICompatible)]
        yield Backends(
            chat=[*opened, Extractive(Templates.built_in(), language_of)],
            embedding=[Encoder(lambda: platform.inference), *embedding],
        )


def _open(entry: BackendEntry) -> OpenAICompatible | TritonText:
    if entry.kind == "openai":
        return OpenAICompatible(
            entry.traits, entry.url, entry.key, entry.models, limit_field=entry.limit_field, logprobs=entry.logprobs
        )
    try:
        template = ChatTemplate.read(entry.chat_template) if entry.chat_template is not None else ChatTemplate()
    except (OSError, ValueError) as error:
        raise SettingsError(f"chat_template of the backend {entry.name}: {error}") from None
    return _TRITON[entry.kind](entry.traits, entry.url, entry.models, template)


def _simple(settings: Settings, url: str) -> OpenAICompatible:
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    models = [Model(settings.llm_model)] if settings.llm_model else []
    return OpenAICompatible(Traits("openai"), url, key, models)
