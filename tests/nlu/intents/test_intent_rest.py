"""A tenant's own intents as REST clients use them, over a socket."""

from __future__ import annotations

import json

import httpx
from google.protobuf.json_format import MessageToDict

from tests.nlu.installation import Client
from tests.nlu.intents.wordings import wordings


async def test_from_examples_to_a_published_version(http: httpx.AsyncClient, client: Client, stranger: Client) -> None:
    request = client.rest
    examples = [MessageToDict(example) for example in wordings()]
    added = await http.post("/v1/nlu/intents/examples", **request(examples=examples))
    assert added.json()["data"] == {"added": len(examples), "total": len(examples)}

    async with http.stream("POST", "/v1/nlu/intents:train", **request(publish=False)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.aiter_lines() if line.startswith("data: ")]
    steps = [json.loads(line.removeprefix("data: "))["data"]["progress"] for line in lines]
    shares = [step.get("progress", 0) for step in steps]
    assert shares == sorted(shares)
    assert steps[-1]["stage"] == "done"
    assert steps[-1]["version"]["state"] == "trained"

    headers = request()["headers"]
    async with http.stream("GET", "/v1/nlu/intents/versions/v1:watch", headers=headers) as response:
        assert response.status_code == 200
        assert '"stage":"done"' in (await response.aread()).decode()
    published = await http.post("/v1/nlu/intents/versions/v1:publish", **request())
    assert published.json()["data"]["version"]["published"] is True
    report = await http.post("/v1/nlu/intents:evaluate", **request(examples=examples[:5]))
    assert report.json()["data"]["report"]["messages"] == 5
    refused = await http.request("DELETE", "/v1/nlu/intents/versions/v1", headers=headers)
    assert refused.status_code in {400, 409}
    assert "published" in refused.json()["error"]["message"]
    back = await http.post("/v1/nlu/intents:rollback", **request(unpublish=True))
    assert back.status_code == 200

    others = {"authorization": f"Bearer {stranger.key}"}
    assert (await http.get("/v1/nlu/intents/versions/v1", headers=others)).status_code == 404
    stolen = await http.post("/v1/nlu/intents/versions/v1:publish", **{**request(), "headers": others})
    assert stolen.status_code == 403
