"""Trainings over the wire: followed, cut off, asked for twice, given up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import asyncpg
import psutil
import pytest
from salambot.nlu.v1 import intents_pb2

from servers.kit.errors import InvalidInput, NotFound, UpstreamError
from servers.kit.jobs import task
from servers.nlu.intents import training
from servers.nlu.intents.version import FAILED, QUEUED, TRAINED, Publish
from tests.awaiting import until
from tests.nlu.installation import Client, Process
from tests.nlu.intents.wordings import WORDINGS, wordings


async def test_a_training_is_told_in_steps_and_ends_with_its_report(client: Client, stranger: Client) -> None:
    await client.put(wordings())
    steps = [step async for step in client.training()]
    shares = [step.progress for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [step.stage for step in steps] == sorted(step.stage for step in steps)
    assert steps[-1].stage == intents_pb2.TRAINING_STAGE_DONE

    version = steps[-1].version
    assert (version.version, version.state, version.published) == ("v1", TRAINED, False)
    assert (version.examples, version.intents) == (len(wordings()), len(WORDINGS))
    assert version.created_at.ToDatetime() <= version.trained_at.ToDatetime()
    report = version.report
    assert report.messages == len(wordings())
    assert report.accuracy >= 0.7
    assert {figures.intent for figures in report.by_intent} == set(WORDINGS)
    assert [figures.f1 for figures in report.by_intent] == sorted(figures.f1 for figures in report.by_intent)
    assert sum(figures.messages for figures in report.by_language) == len(wordings())
    assert sum(pair.messages for pair in report.confusions) == round(report.messages * (1 - report.accuracy))

    assert await client.get("v1") == version
    (listed,) = (await client.call("ListIntentVersions")).versions
    assert listed.report.accuracy == report.accuracy
    assert not listed.report.by_intent
    assert [step.stage async for step in client.watching("v1")] == [intents_pb2.TRAINING_STAGE_DONE]

    assert not (await stranger.call("ListIntentVersions")).versions
    for name in ("GetIntentVersion", "PublishIntents"):
        with pytest.raises(NotFound):
            await stranger.call(name, version="v1")
    with pytest.raises(NotFound):
        await anext(stranger.watching("v1"))
    with pytest.raises(NotFound):
        await stranger.call("EvaluateIntents", version="v1", examples=wordings("parking"))
    assert not (await stranger.call("DeleteIntentVersion", version="v1")).deleted


async def test_a_second_call_follows_the_training_that_goes_on(client: Client) -> None:
    await client.put(wordings())
    async with aclosing(client.training()) as first:
        assert (await anext(first)).version.version == "v1"
        followed = await client.train(publish=True)
    assert (followed.version, followed.state) == ("v1", TRAINED)
    assert followed.published, "who follows may ask for more than who began"
    assert (await client.train()).version == "v2"


async def test_closing_the_stream_does_not_stop_the_training(client: Client) -> None:
    await client.put(wordings())
    async with aclosing(client.training()) as steps:
        await anext(steps)
    watched = [step async for step in client.watching("v1")]
    assert watched[-1].version.state == TRAINED


async def test_a_training_whose_process_is_killed_begins_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "_FIRST_PAUSE_S", 0.1)
    await client.put(wordings())
    killed = 0

    async def kill_once() -> bool:
        nonlocal killed
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if "servers.nlu.intents.worker" in child.cmdline():
                    child.kill()
                    killed += 1
        return killed > 0

    killing = asyncio.create_task(until(kill_once))
    steps = [step async for step in client.training()]
    await killing
    assert steps[-1].version.state == TRAINED
    shares = [step.progress for step in steps]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ([], "2 intents or more; there are 0"),
        (wordings("parking", "out_of_scope"), "2 intents or more; there are 1"),
        ([*wordings("parking"), wordings("birthday")[0]], "2 examples or more of each intent; birthday has fewer"),
    ],
)
async def test_too_few_examples_are_refused(
    client: Client, examples: list[intents_pb2.IntentExample], problem: str
) -> None:
    if examples:
        await client.put(examples)
    with pytest.raises(InvalidInput, match=problem):
        await client.train()
    assert not (await client.call("ListIntentVersions")).versions


async def test_a_training_that_became_impossible_fails_and_says_why(client: Client, served: Process) -> None:
    await client.put(wordings())
    store, encoder = served.intents.store, served.intents.encoder
    async with store.asking(client.tenant, encoder.version, Publish.NEVER):
        pass  # a training whose job is lost
    assert (await client.get("v1")).state == QUEUED
    await client.call("DeleteIntentExamples", all=True)
    version = await client.train()  # follows it, and brings it a job
    assert (version.version, version.state) == ("v1", FAILED)
    assert version.problem == "a training needs examples of 2 intents or more; there are 0"
    with pytest.raises(InvalidInput, match="v1 is not trained"):
        await client.publish("v1")


async def test_a_training_of_a_tenant_that_is_gone_fails(client: Client, served: Process, owner_url: str) -> None:
    await client.put(wordings())
    await _execute(owner_url, "DELETE FROM tenants WHERE tenant = $1", client.tenant)
    served.platform.tenants._tenants.forget(client.tenant)
    number = await served.intents.training.start(client.tenant, Publish.NEVER)
    steps = [step async for step in served.intents.training.watch(client.tenant, number)]
    assert steps[-1].version.state == FAILED
    assert steps[-1].version.problem == f"there is no tenant {client.tenant}"


async def test_a_training_that_is_cut_off_again_and_again_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(training, "ATTEMPTS", 2)

    async def cut_off(*_: object) -> None:
        raise UpstreamError("the training was cut off")

    monkeypatch.setattr(training, "train_apart", cut_off)
    await client.put(wordings())
    version = await client.train()
    assert (version.state, version.problem) == (FAILED, "the training was cut off")
    monkeypatch.undo()
    assert (await client.train()).state == TRAINED


async def test_a_version_being_trained_cannot_be_removed(client: Client) -> None:
    await client.put(wordings())
    async with aclosing(client.training()) as steps:
        await anext(steps)
        with pytest.raises(InvalidInput, match="v1 is being trained"):
            await client.call("DeleteIntentVersion", version="v1")


async def _execute(url: str, sql: str, *values: object) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql, *values)
    await connection.close()
