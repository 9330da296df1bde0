"""The file of backends."""

from __future__ import annotations

from pathlib import Path

import pytest
from salambot.common.v1 import envelope_pb2

from servers.kit.platform import Platform
from servers.kit.settings import SettingsError
from servers.llm import configuration
from servers.llm.backend import Model, Traits
from servers.llm.backends import open_backends
from servers.llm.configuration import read_backends


def write(folder: Path, text: str) -> Path:
    file = folder / "backends.toml"
    file.write_text(text)
    return file


def test_the_example_in_the_documentation_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = (configuration.__doc__ or "").split("A small one:")[1]
    monkeypatch.setenv("ELSEWHERE_KEY", "secret")
    local, elsewhere = read_backends(write(tmp_path, example))
    assert (local.traits, local.models, local.key) == (Traits("local"), [], None)
    assert elsewhere.traits == Traits("elsewhere", external=True)
    assert elsewhere.key == "secret"
    assert elsewhere.models == [
        Model("large", "vendor/large-2026", window=128000, prompt_price=0.5, completion_price=1.5)
    ]


async def test_backends_are_opened_in_order_and_the_extractive_one_last(
    tmp_path: Path, base_platform: Platform
) -> None:
    (tmp_path / "chat.jinja").write_text("{{ messages[-1].content }}")
    file = write(
        tmp_path,
        f"""
        [[backend]]
        name = "triton"
        kind = "triton_vllm"
        url = "127.0.0.1:1"
        chat_template = "{tmp_path}/chat.jinja"
        hedged = true
        [[backend.model]]
        name = "small"
        languages = ["darija_arabizi"]

        [[backend]]
        name = "trt"
        kind = "triton_tensorrt"
        url = "127.0.0.1:1"
        [[backend.model]]
        name = "smaller"
        """,
    )
    settings = base_platform.settings.model_copy(update={"llm_backends": file, "llm_url": "http://127.0.0.1:1/v1"})
    base_platform.settings, before = settings, base_platform.settings

    async def unasked(text: str) -> int:
        raise AssertionError

    try:
        async with open_backends(base_platform, unasked) as backends:
            names = [backend.traits.name for backend in backends.chat]
            assert names == ["triton", "trt", "openai", "extractive"]
            assert [backend.traits.name for backend in backends.embedding] == ["encoder", "openai"]
    finally:
        base_platform.settings = before
    [small] = read_backends(file)[0].models
    assert small.languages == {envelope_pb2.LANGUAGE_DARIJA_ARABIZI}


BACKEND = '[[backend]]\nname = "a"\nkind = "openai"\nurl = "http://x/v1"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[backend", "backends.toml"),
        ('[[backend]]\nname = "a"\nkind = "bedrock"\nurl = "http://x"', "kind"),
        (BACKEND.replace("http://x/v1", "x"), "http://"),
        (BACKEND.replace("openai", "triton_vllm"), "models listed"),
        (BACKEND + "colour = 1", "colour"),
        (BACKEND + '[[backend.model]]\nname = "auto"', "product's own"),
        (BACKEND + '[[backend.model]]\nname = "b"\nlanguages = ["es"]', "languages"),
        (BACKEND + BACKEND, "one name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_backends(write(tmp_path, text))


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    [entry] = read_backends(write(tmp_path, BACKEND + 'key_env = "SALAMBOT_NO_SUCH_KEY"'))
    with pytest.raises(SettingsError, match="SALAMBOT_NO_SUCH_KEY"):
        _ = entry.key


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        read_backends(tmp_path / "nowhere")
