"""Work done together: what is gathered, what it may fail, and who is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from servers.kit.gathering import Gathering

PATIENCE_S = 5.0


class Work:
    """Doubles numbers when the gate is open; remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.release()
        await self.gate.wait()
        if 13 in items:
            raise RuntimeError("thirteen")
        return [2 * item for item in items]


def do_other_work(seconds: float) -> None:
    """Keeps the loop busy."""
    time.sleep(seconds)


async def test_what_comes_while_work_is_done_is_done_together() -> None:
    work = Work()
    gathering = Gathering(work, most=4, patience_s=PATIENCE_S)
    assert await gathering([1]) == [2]
    work.gate.clear()
    calls = [asyncio.create_task(gathering([2]))]
    for _ in range(2):
        await work.begun.acquire()
    calls += [asyncio.create_task(gathering(items)) for items in ([3, 4], [5], [6, 7, 8], [9] * 9)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*calls) == [[4], [6, 8], [10], [12, 14, 16], [18] * 9]
    assert work.batches == [[1], [2], [3, 4, 5], [6, 7, 8], [9] * 9]


async def test_a_caller_that_gives_up_costs_no_work_and_disturbs_nobody() -> None:
    work = Work()
    gathering = Gathering(work, most=4, patience_s=PATIENCE_S)
    work.gate.clear()
    first = asyncio.create_task(gathering([1]))
    await work.begun.acquire()
    second, third = asyncio.create_task(gathering([2])), asyncio.create_task(gathering([3]))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    work.gate.set()
    assert await third == [6]
    assert work.batches == [[1], [3]]


async def test_a_failure_is_told_to_those_it_concerns() -> None:
    work = Work()
    gathering = Gathering(work, most=2, patience_s=PATIENCE_S)
    outcomes = await asyncio.gather(gathering([13]), gathering([1]), gathering([2]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RuntimeError, RuntimeError, list]


async def test_closing_lets_go_of_everybody() -> None:
    work = Work()
    gathering = Gathering(work, most=1, patience_s=PATIENCE_S)
    work.gate.clear()
    calls = [asyncio.create_task(gathering([number])) for number in range(3)]
    await work.begun.acquire()
    await gathering.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


@pytest.mark.parametrize("callers", [1, 100])
async def test_every_caller_gets_its_own(callers: int) -> None:
    gathering = Gathering(Work(), most=16, patience_s=PATIENCE_S)
    results = await asyncio.gather(*(gathering([number, -number]) for number in range(100, 100 + callers)))
    assert results == [[2 * number, -2 * number] for number in range(100, 100 + callers)]


async def test_a_busy_loop_gathers_more() -> None:
    gathering = Gathering(work := Work(), most=4, patience_s=PATIENCE_S)
    calls = []
    for number in range(4):
        calls.append(asyncio.create_task(gathering([number])))
        for _ in range(5):
            await asyncio.sleep(0)
            do_other_work(0.0002)
    assert await asyncio.gather(*calls) == [[0], [2], [4], [6]]
    assert work.batches == [[0, 1, 2, 3]]


async def test_a_loop_that_is_never_idle_holds_nobody_up() -> None:
    gathering = Gathering(work := Work(), most=4, patience_s=PATIENCE_S)
    call = asyncio.create_task(gathering([1]))
    began = time.perf_counter()
    while not call.done() and time.perf_counter() < began + 5:
        await asyncio.sleep(0)
        do_other_work(0.001)
    assert call.done()
    assert work.batches == [[1]]


async def test_who_waits_too_long_is_told_so_and_the_next_are_served() -> None:
    gathering = Gathering(work := Work(), most=2, patience_s=0.2)
    work.gate.clear()
    began = time.perf_counter()
    first = asyncio.create_task(gathering([1]))
    await work.begun.acquire()
    outcomes = await asyncio.gather(first, gathering([2]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError, TimeoutError]
    assert time.perf_counter() - began < 0.2 + 0.5  # each from when it came, not one after the other
    work.gate.set()
    assert await gathering([3]) == [6]


async def test_under_load_the_first_of_a_group_waits_for_the_others() -> None:
    gathering = Gathering(work := Work(), most=32, patience_s=PATIENCE_S)
    for _ in range(2):
        await asyncio.gather(*(gathering([number]) for number in range(6)))
    asked = [asyncio.create_task(gathering([0]))]
    for _ in range(10):  # longer than a quiet loop is waited for
        await asyncio.sleep(0)
    asked += [asyncio.create_task(gathering([number])) for number in range(1, 6)]
    await asyncio.gather(*asked)
    assert work.batches == [list(range(6))] * 3


async def test_once_the_load_is_gone_nobody_waits_for_long() -> None:
    gathering = Gathering(work := Work(), most=32, patience_s=PATIENCE_S)
    await asyncio.gather(*(gathering([number]) for number in range(12)))
    began = time.perf_counter()
    for number in range(12):
        await gathering([number])
    assert time.perf_counter() - began < 0.1
    assert work.batches[1:] == [[number] for number in range(12)]
