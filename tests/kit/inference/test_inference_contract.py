"""What every adapter of the inference port does, run over each of them."""

import asyncio
import time

import numpy as np
import pytest
from salambot.common.v1 import envelope_pb2

from servers.kit.call import Call, serving
from servers.kit.errors import Timeout, UpstreamError

OUTPUTS = ("total", "doubled")


def request(ids, weight=1.0):
    """One input pair for the model `lookup`: `ids` is a list of rows."""
    rows = np.array(ids, dtype=np.int64)
    return {"ids": rows, "weight": np.full((len(rows), 1), weight, dtype=np.float32)}


async def test_one_row(inference):
    answer = await inference.infer("lookup", request([[1, 2, 3]], 0.5), OUTPUTS)
    np.testing.assert_array_equal(answer["total"], [[30.0]])
    np.testing.assert_array_equal(answer["doubled"], [[2, 4, 6]])
    assert answer["total"].dtype == np.float32
    assert answer["doubled"].dtype == np.int64


async def test_a_batch_of_the_caller(inference):
    answer = await inference.infer("lookup", request([[1, 2], [3, 4], [5, 6]]), OUTPUTS)
    np.testing.assert_array_equal(answer["total"], [[30.0], [70.0], [110.0]])


async def test_only_the_outputs_asked_for(inference):
    assert list(await inference.infer("lookup", request([[1]]), ["doubled"])) == ["doubled"]


async def test_a_model_without_batching(inference):
    answer = await inference.infer("unbatched", request([[9, 9], [0, 1]]), OUTPUTS)
    np.testing.assert_array_equal(answer["total"], [[180.0], [10.0]])


async def test_inputs_that_are_not_contiguous(inference):
    inputs = request([[1, 2], [3, 4]])
    inputs["ids"] = np.asfortranarray(inputs["ids"])
    answer = await inference.infer("lookup", inputs, ["doubled"])
    np.testing.assert_array_equal(answer["doubled"], [[2, 4], [6, 8]])


async def test_concurrent_requests_keep_their_own_answers(inference):
    """Triton joins these into batches; lengths and numbers of rows differ."""

    async def ask(i):
        ids = [[(i + row + column) % 10 for column in range(1 + i % 4)] for row in range(1 + i % 3)]
        answer = await inference.infer("lookup", request(ids, i), OUTPUTS)
        np.testing.assert_array_equal(answer["total"][:, 0], [10.0 * i * sum(row) for row in ids])
        np.testing.assert_array_equal(answer["doubled"], 2 * np.array(ids))

    await asyncio.gather(*(ask(i) for i in range(50)))


async def test_a_bad_request_does_not_spoil_its_batch(inference):
    async def ask(i):
        return await inference.infer("lookup", request([[99 if i % 10 == 0 else 1]]), ["total"])

    answers = await asyncio.gather(*(ask(i) for i in range(50)), return_exceptions=True)
    for i, answer in enumerate(answers):
        if i % 10 == 0:
            assert isinstance(answer, UpstreamError), answer
        else:
            assert answer["total"] == 10.0


@pytest.mark.parametrize(
    ("inputs", "outputs", "complaint"),
    [
        pytest.param({"ids": np.array([[1]], np.int64)}, OUTPUTS, "weight|inputs", id="missing input"),
        pytest.param(request([[1]]) | {"ids": np.array([[1]], np.int32)}, OUTPUTS, "(?i)int64", id="wrong type"),
        pytest.param(request([[1]]) | {"ids": np.array([1], np.int64)}, OUTPUTS, "shape", id="wrong rank"),
        pytest.param(request([[1]]) | {"weight": np.ones((1, 2), np.float32)}, OUTPUTS, "shape", id="wrong shape"),
        pytest.param(request([[1]] * 65), OUTPUTS, "64", id="batch too large"),
        pytest.param(request([[1]]) | {"ids": np.array([["a"]], object)}, OUTPUTS, "object", id="not numbers"),
        pytest.param(request([[1]]), ["nothing"], "nothing", id="unknown output"),
        pytest.param(request([[99]]), OUTPUTS, "bounds", id="fails while running"),
    ],
)
async def test_what_the_model_does_not_take(inference, inputs, outputs, complaint):
    with pytest.raises(UpstreamError, match=complaint) as caught:
        await inference.infer("lookup", inputs, outputs)
    assert "lookup" in caught.value.message


async def test_an_unknown_model(inference):
    assert not await inference.ready("nothing")
    with pytest.raises(UpstreamError, match="nothing"):
        await inference.infer("nothing", request([[1]]), OUTPUTS)


async def test_ready(inference):
    assert await inference.ready("lookup")


async def test_the_deadline_of_the_call(inference):
    passed = Call(None, {}, time.monotonic() - 1, envelope=envelope_pb2.Envelope())
    with serving(passed), pytest.raises(Timeout):
        await inference.infer("lookup", request([[1]]), OUTPUTS)
    ample = Call(None, {}, time.monotonic() + 10)
    with serving(ample):
        assert await inference.infer("lookup", request([[1]]), OUTPUTS)
