"""Versions in force: published, exchanged under load, rolled back, kept over restarts, renewed for another encoder."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from salambot.nlu.v1 import intents_pb2

from servers.kit.errors import Conflict, InvalidInput, NotFound
from servers.kit.platform import Platform
from servers.kit.postgres import Postgres
from servers.nlu.intents import heads
from servers.nlu.intents.head import OUT_OF_SCOPE
from servers.nlu.intents.heads import TenantIntents
from servers.nlu.intents.reading import LEAST_CONFIDENCE
from servers.nlu.intents.store import Store
from servers.nlu.intents.version import TRAINED
from tests.awaiting import until
from tests.nlu.installation import Client, Process, process
from tests.nlu.intents.wordings import wordings

PARKING = "wach kayn chi parking 9rib men restaurant ?"


async def version_read_with(client: Client) -> str:
    """The version in force for a message; empty when none is."""
    reading = await client.read(PARKING)
    return reading.version if reading is not None else ""


async def test_a_published_version_reads_its_tenant_s_messages_and_no_other_s(client: Client, stranger: Client) -> None:
    await client.put(wordings())
    await client.train()
    assert await client.read(PARKING) is None
    published = await client.publish("v1")
    assert published.published
    assert published.HasField("published_at")
    assert await client.publish("v1") == published, "once more changes nothing"

    reading = await client.read(PARKING)
    assert reading is not None
    assert (reading.version, reading.scores[0].intent) == ("v1", "parking")
    assert reading.scores[0].confidence >= LEAST_CONFIDENCE
    assert OUT_OF_SCOPE not in {score.intent for score in reading.scores}
    outside = await client.read("quelle est la capitale de la France ?")
    assert outside is not None
    assert all(score.confidence < LEAST_CONFIDENCE for score in outside.scores)
    assert await stranger.read(PARKING) is None
    with pytest.raises(NotFound):
        await stranger.roll_back()


async def test_rolling_back_goes_through_what_was_published_before(client: Client) -> None:
    await client.put(wordings())
    for _ in range(3):
        await client.train()
    with pytest.raises(NotFound, match="no version was in force before"):
        await client.roll_back()
    await client.publish("v1")
    with pytest.raises(NotFound, match="no version was in force before"):
        await client.roll_back()
    await client.publish("v3")
    await client.publish("v2")
    assert await version_read_with(client) == "v2"
    assert await client.roll_back() == "v3"
    assert await version_read_with(client) == "v3"
    assert await client.roll_back() == "v1"
    assert await client.roll_back(unpublish=True) == ""
    assert await client.roll_back(unpublish=True) == ""
    assert await client.read(PARKING) is None
    assert await client.roll_back() == "v1", "what was unpublished comes back"

    with pytest.raises(Conflict, match="v1 is published"):
        await client.call("DeleteIntentVersion", version="v1")
    await client.publish("v2")
    assert (await client.call("DeleteIntentVersion", version="v1")).deleted
    assert not (await client.call("DeleteIntentVersion", version="v1")).deleted
    with pytest.raises(NotFound, match="no version was in force before"):
        await client.roll_back()
    assert (await client.call("DeleteIntentVersion", version="v3")).deleted
    assert (await client.train()).version == "v4", "names are not given twice"
    listed = await client.call("ListIntentVersions", page_size=1)
    assert [one.version for one in listed.versions] == ["v4"]
    (rest,) = (await client.call("ListIntentVersions", page_token=listed.next_page_token)).versions
    assert (rest.version, rest.published) == ("v2", True)


async def test_a_training_publishes_itself_unless_it_is_worse(client: Client) -> None:
    await client.put(wordings())
    assert (await client.train(publish=True)).published
    assert await version_read_with(client) == "v1"
    confusing = [intents_pb2.IntentExample(text=one.text, intent="birthday") for one in wordings("parking")]
    await client.put(confusing)
    worse = await client.train(publish=True)
    assert worse.state == TRAINED
    assert worse.report.accuracy < (await client.get("v1")).report.accuracy
    assert not worse.published
    ids = {one.text: one.id for one in (await client.page(intent="birthday", page_size=200)).examples}
    await client.call("DeleteIntentExamples", ids=[ids[one.text] for one in confusing])
    assert (await client.train(publish=True)).published, "as good as before"
    await until(lambda: _reads_with(client, "v3"))


async def test_versions_are_exchanged_under_load_without_a_dropped_message(
    client: Client, served: Process, platform: Platform
) -> None:
    await client.put(wordings())
    await client.train(publish=True)
    await client.train()
    async with process(platform, working=False) as other:
        elsewhere, seen, publishing = client.at(other), Counter[str](), True
        await until(lambda: _reads_with(elsewhere, "v1"))

        async def write(customer: Client) -> None:
            while publishing:
                reading = await customer.read(PARKING)
                assert reading is not None
                assert reading.scores[0].intent == "parking"
                seen[reading.version] += 1

        customers = [asyncio.create_task(write(one)) for one in (client, elsewhere) for _ in range(4)]
        for version in ("v2", "v1", "v2"):
            await client.publish(version)
            assert await version_read_with(client) == version, "in this process at once"
            await until(partial(_reads_with, elsewhere, version))
        publishing = False
        await asyncio.gather(*customers)
        assert set(seen) == {"v1", "v2"}


async def test_heads_that_were_put_out_come_back(
    client: Client, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MOST_BYTES", 0)
    for tenant, trainings in ((client, 1), (stranger, 2)):
        await tenant.put(wordings())
        for _ in range(trainings):
            await tenant.train(publish=True)
    for _ in range(2):
        assert await version_read_with(client) == "v1"
        assert await version_read_with(stranger) == "v2"
        assert len(client.process.intents.heads._heads) == 1


async def test_a_restart_keeps_what_is_published(client: Client, platform: Platform) -> None:
    await client.put(wordings())
    await client.train(publish=True)
    async with process(platform, working=False) as restarted:
        reading = await client.at(restarted).read(PARKING)
        assert reading is not None
        assert (reading.version, reading.scores[0].intent) == ("v1", "parking")


async def test_heads_of_an_earlier_encoder_rest_until_they_are_trained_again(
    client: Client, platform: Platform, tmp_path: Path
) -> None:
    await client.put(wordings())
    await client.train(publish=True)
    await client.train()
    labels = json.loads((platform.settings.models / "encoder" / "labels.json").read_text())
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "labels.json").write_text(json.dumps({**labels, "version": "later"}))
    upgraded = replace(platform, settings=platform.settings.model_copy(update={"models": tmp_path}))
    async with process(upgraded) as served:
        later = client.at(served)
        assert await later.read(PARKING) is None, "the built-in intents answer meanwhile"
        with pytest.raises(InvalidInput, match="v2 was trained for other models"):
            await later.publish("v2")
        await until(lambda: _reads_with(later, "v3"))
        assert (await later.get("v3")).published
        await until(lambda: _reads_with(client, ""))  # by who is not upgraded yet, once it has heard
    assert len((await client.call("ListIntentVersions")).versions) == 3


async def test_messages_are_read_without_the_tenant_s_intents_while_they_are_out_of_reach(
    client: Client, served: Process, database_url: str
) -> None:
    await client.put(wordings())
    await client.train(publish=True)
    postgres = await Postgres.open(database_url, 2)
    unreachable = TenantIntents(
        served.platform.changes, Store(postgres), served.intents.encoder.version, served.intents.training.renew
    )
    await postgres.close()
    cut_off = client.at(replace(served, intents=replace(served.intents, heads=unreachable)))
    assert await cut_off.read(PARKING) is None


async def test_messages_with_labels_are_evaluated_and_not_kept(client: Client) -> None:
    await client.put(wordings("parking", "birthday", OUT_OF_SCOPE))
    with pytest.raises(NotFound, match="no version is published"):
        await client.call("EvaluateIntents", examples=wordings("parking"))
    await client.train(publish=True)
    asked = [*wordings("parking"), intents_pb2.IntentExample(text=PARKING, intent="never_seen")]
    answer = await client.call("EvaluateIntents", examples=asked)
    assert answer.version == "v1"
    assert answer.report.messages == len(asked)
    figures = {one.intent: one for one in answer.report.by_intent}
    assert figures["parking"].recall >= 0.9
    assert figures["never_seen"].recall == 0
    assert (await client.page(intent="never_seen")).total == 0


async def _reads_with(client: Client, version: str) -> bool:
    return await version_read_with(client) == version
