"""Child processes: their output, their end, and what happens to them when we are killed."""

import asyncio
import os
import signal
import sys

import psutil
import pytest

from servers.kit.embedded.process import Command, Process, StartError, run
from servers.kit.embedded.supervisor import Service, supervised


def python(tmp_path, code, **options):
    return Command(
        "Sample", [sys.executable, "-c", code], tmp_path / "logs" / "sample.log", [signal.SIGTERM], **options
    )


async def answering():
    return True


async def silent():
    return False


async def test_a_failure_shows_what_the_program_said(tmp_path):
    with pytest.raises(StartError, match=r"(?s)Sample failed with status 3.*no disk left"):
        await run(python(tmp_path, "print('no disk left'); exit(3)"))


async def test_a_failure_shows_this_run_alone(tmp_path):
    await run(python(tmp_path, "print('of yesterday')"))
    with pytest.raises(StartError) as caught:
        await run(python(tmp_path, "exit('of today')"))
    assert "of today" in str(caught.value)
    assert "of yesterday" not in str(caught.value)


async def test_a_program_that_does_not_exist(tmp_path):
    with pytest.raises(StartError, match="No such file"):
        await run(Command("Sample", ["/nowhere/sample"], tmp_path / "sample.log", [signal.SIGTERM]))


async def test_a_program_that_ignores_its_signal_is_killed(tmp_path, until):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    command = python(tmp_path, code, grace=0.2)
    process = await Process.start(command)
    await until(lambda: "up" in command.log.read_text())
    await process.stop()
    assert await process.wait() == -signal.SIGKILL


async def test_a_service_that_never_answers(tmp_path):
    service = Service(python(tmp_path, "import time; time.sleep(60)"), silent, start_seconds=0.1)
    with pytest.raises(StartError, match="did not answer"):
        async with supervised(service):
            pass
    assert not [process for process in psutil.Process().children() if "time.sleep(60)" in process.cmdline()]


async def test_a_service_that_dies_is_started_again(tmp_path, until):
    async with supervised(Service(python(tmp_path, "import time; time.sleep(60)"), answering)) as supervisor:
        first = supervisor.process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.restarts)
        assert supervisor.process.pid != first
        last = psutil.Process(supervisor.process.pid)
    assert not last.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
@pytest.mark.parametrize("name", ["postgres", "redis"])
async def test_children_end_when_we_are_killed(name, hold, tmp_path, until):
    holder = await asyncio.create_subprocess_exec(*hold(name, tmp_path / "home"), stdout=asyncio.subprocess.PIPE)
    assert await holder.stdout.readline()
    children = psutil.Process(holder.pid).children(recursive=True)
    assert children
    holder.kill()
    await holder.wait()
    await until(lambda: not any(alive(child) for child in children))


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
