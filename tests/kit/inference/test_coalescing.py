"""What waits together leaves together, over a real Triton."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from servers.kit.call import Call, serving
from servers.kit.errors import Timeout, UpstreamError
from servers.kit.inference.coalescing import MOST_ROWS, Coalescing
from servers.kit.inference.triton import TritonInference

NOWHERE = "127.0.0.1:1"


class Counting(TritonInference):
    """The real adapter; it keeps the number of rows of each call."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.rows: list[int] = []

    async def infer(self, model: str, inputs: Any, outputs: Any) -> Any:
        self.rows.append(len(inputs["ids"]))
        return await super().infer(model, inputs, outputs)


def inputs(*rows: list[int]) -> dict[str, np.ndarray]:
    return {"ids": np.array(rows, np.int64), "weight": np.ones((len(rows), 1), np.float32)}


async def test_each_gets_its_own_answer_from_few_calls(triton_url: str) -> None:
    counting = Counting(triton_url)
    inference = Coalescing(counting)
    answers = await asyncio.gather(
        *(inference.infer("lookup", inputs([n % 10], [n % 10]), ["doubled"]) for n in range(200))
    )
    for number, answer in enumerate(answers):
        np.testing.assert_array_equal(answer["doubled"], [[2 * (number % 10)]] * 2)
    assert sum(counting.rows) == 400
    assert len(counting.rows) <= 400 // MOST_ROWS + 2
    assert max(counting.rows) <= MOST_ROWS
    await inference.close()


async def test_different_widths_do_not_mix(triton_url: str) -> None:
    inference = Coalescing(TritonInference(triton_url))
    wide, narrow = await asyncio.gather(
        inference.infer("lookup", inputs([1, 2, 3]), ["doubled"]), inference.infer("lookup", inputs([4]), ["doubled"])
    )
    assert wide["doubled"].tolist() == [[2, 4, 6]]
    assert narrow["doubled"].tolist() == [[8]]
    await inference.close()


async def test_one_that_gives_up_holds_up_nobody(triton_url: str) -> None:
    inference = Coalescing(TritonInference(triton_url))
    tasks = [asyncio.create_task(inference.infer("lookup", inputs([n % 10]), ["doubled"])) for n in range(20)]
    await asyncio.sleep(0)
    tasks[7].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[7], asyncio.CancelledError)
    assert all(answers[n]["doubled"].tolist() == [[2 * (n % 10)]] for n in range(20) if n != 7)
    await inference.close()


async def test_a_call_in_its_last_moment_does_not_shorten_the_others(triton_url: str) -> None:
    inference = Coalescing(TritonInference(triton_url))

    async def within(seconds: float, number: int) -> Any:
        with serving(Call(None, {}, time.monotonic() + seconds)):
            return await inference.infer("lookup", inputs([number]), ["doubled"])

    late, well = await asyncio.gather(within(0.0001, 1), within(5, 2), return_exceptions=True)
    assert well["doubled"].tolist() == [[4]]
    assert late is not None
    await inference.close()


async def test_a_refused_request_spoils_no_neighbour(triton_url: str) -> None:
    """The model knows the ids 0 to 9: a batch with another one fails as a whole, and is then asked one by one."""
    inference = Coalescing(TritonInference(triton_url))
    answers = await asyncio.gather(
        *(inference.infer("lookup", inputs([n]), ["doubled"]) for n in (1, 99, 2, 3)), return_exceptions=True
    )
    assert isinstance(answers[1], UpstreamError)
    assert [answers[n]["doubled"].tolist() for n in (0, 2, 3)] == [[[2]], [[4]], [[6]]]
    await inference.close()


async def test_without_triton_all_are_told() -> None:
    inference = Coalescing(TritonInference(NOWHERE))
    answers = await asyncio.gather(
        *(inference.infer("lookup", inputs([n]), ["doubled"]) for n in range(5)), return_exceptions=True
    )
    assert all(isinstance(answer, UpstreamError) for answer in answers)
    with pytest.raises(UpstreamError):
        await inference.infer("lookup", inputs([1]), ["doubled"])
    await inference.close()


class Silent(TritonInference):
    """A model server that answers nobody before its own time is up, and counts who asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked = 0

    async def infer(self, model: str, inputs: Any, outputs: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0.1)
        raise Timeout("no answer")


async def test_those_who_gave_up_are_not_asked_for_again() -> None:
    silent = Silent(NOWHERE)
    inference = Coalescing(silent)
    tasks = [asyncio.create_task(inference.infer("lookup", inputs([n]), ["doubled"])) for n in range(10)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0.1)
    assert silent.asked == 1
    await inference.close()


class Broken(TritonInference):
    """An adapter with a fault."""

    async def infer(self, model: str, inputs: Any, outputs: Any) -> Any:
        raise KeyError(model)


async def test_a_fault_is_told_and_is_no_cancellation() -> None:
    inference = Coalescing(Broken(NOWHERE))
    answers = await asyncio.gather(
        *(inference.infer("lookup", inputs([n]), ["doubled"]) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(answer, KeyError) for answer in answers)
    await inference.close()
