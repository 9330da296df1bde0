"""The file that lists the backends: TOML, one `[[backend]]` each, best first, with a `[[backend.model]]` for each model.

A small one:

    [[backend]]
    name = "local"
    kind = "openai"                      # openai, triton_vllm or triton_tensorrt
    url = "http://127.0.0.1:8000/v1"

    [[backend]]
    name = "elsewhere"
    kind = "openai"
    url = "https://models.example/v1"
    key_env = "ELSEWHERE_KEY"            # the environment variable that holds its key
    external = true

    [[backend.model]]
    name = "large"                       # what callers ask for
    served_as = "vendor/large-2026"      # what the server calls it
    window = 128000
    prompt_price = 0.5                   # US dollars a million tokens
    completion_price = 1.5
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from salambot.common.v1 import envelope_pb2

from servers.kit.settings import SettingsError
from servers.llm.backend import Model, Traits

_Kind = Literal["openai", "triton_vllm", "triton_tensorrt"]
_Word = Literal["fr", "ar", "en", "darija_arabizi", "darija_arabic"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelEntry(_Strict):
    """A `[[backend.model]]`; see Model for what each means."""

    name: str = Field(min_length=1, max_length=128)
    served_as: str = ""
    auto: bool = True
    embeds: bool = False
    text_only: bool = False
    window: int | None = Field(None, ge=16)
    languages: tuple[_Word, ...] = ()
    prompt_price: float = Field(0.0, ge=0)
    completion_price: float = Field(0.0, ge=0)

    @field_validator("name")
    @classmethod
    def _not_taken(cls, name: str) -> str:
        if name in ("auto", "extractive"):
            raise ValueError(f"{name} is the product's own")
        return name

    def model(self) -> Model:
        """As the router has it."""
        languages = {envelope_pb2.Language.Value(f"LANGUAGE_{word.upper()}") for word in self.languages}
        return Model(**self.model_dump(exclude={"languages"}), languages=frozenset(languages))


class BackendEntry(_Strict):
    """A `[[backend]]`. Servers of kind `openai` are asked for their models when none are listed."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    kind: _Kind
    url: str = Field(min_length=1, description="With its /v1 for `openai`, host:port of its gRPC for Triton.")
    key_env: str | None = None
    external: bool = False
    first_token_s: float = Field(10.0, gt=0)
    silence_s: float = Field(10.0, gt=0)
    hedged: bool = False
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    logprobs: bool = False
    chat_template: Path | None = None
    model: tuple[ModelEntry, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> BackendEntry:
        if self.kind != "openai" and not self.model:
            raise ValueError("needs its models listed: Triton does not tell which of its models generate")
        if self.kind == "openai" and not self.url.startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://")
        return self

    @property
    def traits(self) -> Traits:
        """As the router has them."""
        return Traits(self.name, self.first_token_s, self.silence_s, hedged=self.hedged, external=self.external)

    @property
    def models(self) -> Sequence[Model]:
        """Those that are listed."""
        return [entry.model() for entry in self.model]

    @property
    def key(self) -> str | None:
        """Its key. Raises SettingsError when the environment does not hold it."""
        if self.key_env is None:
            return None
        if not (key := os.environ.get(self.key_env)):
            raise SettingsError(f"{self.key_env}, the key of the backend {self.name}, is not set")
        return key


class _File(_Strict):
    backend: tuple[BackendEntry, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> _File:
        names = [entry.name for entry in self.backend]
        if len(set(names)) < len(names):
            raise ValueError("two backends have one name")
        return self


def read_backends(path: Path) -> Sequence[BackendEntry]:
    """The backends of a file. Raises SettingsError that names the file and what is wrong in it."""
    try:
        return _File(**tomllib.loads(path.read_text("utf-8"))).backend
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError(f"{path}: {'; '.join(problems)}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None
