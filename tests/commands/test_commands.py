"""The command line, as a person runs it: what it prints, and how it ends."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from servers.cli import _app
from servers.commands import process, up
from servers.kit.embedded.process import StartError
from servers.kit.settings import read_settings
from servers.state import State, read, told

ROOT = Path(__file__).parents[2]


@pytest.fixture
def salambot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> object:
    """Runs a command with a home folder of its own; `Result.output` holds standard output, `stderr` the rest."""
    monkeypatch.setenv("SALAMBOT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SALAMBOT_KEY", raising=False)
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=200))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(_app(), arguments)

    return run


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(_app(), ["--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for command in ("up", "serve", "gateway", "chat", "doctor", "migrate", "tenant"):
        assert command in result.output


def test_a_wrong_setting_is_told_in_a_line(salambot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALAMBOT_HTTP_PORT", "eighty")
    result = salambot("serve")
    assert result.exit_code == 1
    assert "SALAMBOT_HTTP_PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_component_that_there_is_not(salambot) -> None:
    result = salambot("serve", "nlu", "nonsense")
    assert result.exit_code == 1
    assert "there is no component nonsense; there are nlu, rag" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["chat", "-m", "salam"], "salambot up"),
        (["tenant", "create", "atlas"], "salambot up"),
        (["migrate"], "SALAMBOT_DATABASE_OWNER_URL"),
    ],
)
def test_without_a_serving_process_it_says_how_to_mend_it(salambot, arguments: list[str], mend: str) -> None:
    result = salambot(*arguments)
    assert result.exit_code == 1
    assert mend in result.stderr


def test_chat_without_a_key(salambot) -> None:
    result = salambot("chat", "-m", "salam", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "SALAMBOT_KEY" in result.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://[x"])
def test_chat_with_a_gateway_that_is_gone(salambot, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SALAMBOT_KEY", "sk_a_b")
    result = salambot("chat", "-m", "salam", "--url", url)
    assert result.exit_code == 1
    assert "no answer from" in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_doctor_without_a_serving_process(salambot) -> None:
    result = salambot("doctor")
    assert result.exit_code == 1
    assert "salambot up" in result.stdout.replace("\n", " ")


def test_errors_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup in a log is text."""
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=40))

    async def work(settings: object) -> None:
        raise StartError("Postgres ended. Its log says:\n  [info] [/x] FATAL: " + "x" * 60)

    with pytest.raises(process.typer.Exit):
        process.run(work)
    assert "[info] [/x] FATAL: " + "x" * 60 in capsys.readouterr().err
    process.Steps()("triton", "[info] cannot [/x]")
    assert "[info] cannot [/x]" in capsys.readouterr().err


def test_progress_is_told_once_a_step_and_by_the_tenth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=200))
    steps = process.Steps()
    for fraction in (0.0, 0.05, 0.11, 0.19, 1.0, 1.0):
        steps("triton", "Downloading", fraction)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("triton")[1].strip() for line in lines] == ["Downloading 0 %", "Downloading 10 %", "Downloading"]


def test_the_banner_can_be_followed(tmp_path: Path) -> None:
    addresses = SimpleNamespace(triton=None, without_triton="[Errno 2] no libpython [/x]")
    running = SimpleNamespace(http_port=8080, grpc_port=50051, platform=SimpleNamespace(addresses=addresses))
    console = Console(width=160)
    with console.capture() as captured:
        console.print(up._banner(running, read_settings(home=tmp_path), "sk_a_b"))
    shown = captured.get()
    assert "http://127.0.0.1:8080/docs" in shown
    assert "127.0.0.1:50051" in shown
    assert "[Errno 2] no libpython [/x]" in shown
    command = shlex.split(up._example(running, read_settings(home=tmp_path), "sk_a_b"))
    assert command[:3] == ["curl", "-s", "http://127.0.0.1:8080/v1/messages"]
    assert command[-1].startswith('{"tenant": "demo"')
    assert "Authorization: Bearer sk_a_b" in command


STATE = State(os.getpid(), "http://127.0.0.1:1", "", "postgresql://", "unix://", None, "off")


def test_the_state_of_a_process_is_there_while_it_serves(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    with told(tmp_path, STATE):
        assert read(tmp_path) == STATE
        assert (tmp_path / "running.json").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path) is None


def test_the_state_of_a_process_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "running.json").write_bytes(b"half")
    assert read(tmp_path) is None
    with told(tmp_path, State(ended.pid, "", "", "", "", None, "")):
        assert read(tmp_path) is None


def test_the_command_starts_quickly_enough_to_be_asked_for_help() -> None:
    """Heavy packages wait until they are needed: help must not load a model runtime."""
    code = "import sys; import servers.cli; print(*sorted({'onnxruntime', 'pymilvus', 'torch'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
