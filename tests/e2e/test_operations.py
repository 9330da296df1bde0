"""What an SRE looks at: reflection, health, readiness, metrics, documentation."""

from __future__ import annotations

import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from servers.kit.events import FIELD
from servers.registry import COMPONENTS
from tests.awaiting import until
from tests.e2e.conftest import Installation, message

pytestmark = pytest.mark.xdist_group("e2e")


async def test_reflection_lists_every_service(salambot: Installation) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(salambot.grpc)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for response in call:
        names = {service.name for service in response.list_services_response.service}
        assert names >= {component.full_name for component in COMPONENTS}
        assert "grpc.health.v1.Health" in names


async def test_health_tells_what_is_built_and_serving(salambot: Installation) -> None:
    stub = health_pb2_grpc.HealthStub(salambot.grpc)

    async def well() -> bool:
        reply = await stub.Check(health_pb2.HealthCheckRequest())
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    await until(well)  # other tests kill what stands behind it
    for component in COMPONENTS:
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=component.full_name))
        assert (reply.status == health_pb2.HealthCheckResponse.SERVING) == component.built, component.name


async def test_readiness_metrics_and_documentation(salambot: Installation) -> None:
    ready = (await salambot.http.get("/readyz")).json()
    assert ready["components"]["nlu"] == "serving"
    assert ready["components"]["ticketing"] == "not built yet"
    await salambot.say("merci beaucoup")
    metrics = (await salambot.http.get("/metrics")).text
    assert 'salambot_rpc_seconds_count{code="ok",method="OrchestratorService/SendMessage"}' in metrics
    document = (await salambot.http.get("/openapi.json")).json()
    assert "/v1/messages" in document["paths"]
    assert (await salambot.http.get("/docs")).status_code == 200


async def test_events_reach_the_stream_without_any_text(salambot: Installation) -> None:
    asked = message("Où se trouve votre agence de Casablanca ?")
    await salambot.post("/v1/messages", asked)
    await salambot.process.platform.events.flush()
    entries = await salambot.process.platform.cache.redis.xrevrange("salam:demo:events", count=200)
    events = [orjson.loads(fields[FIELD.encode()]) for _, fields in entries]
    mine = [event for event in events if event["message_id"] == asked["message_id"]]
    assert {event["type"] for event in mine} == {"nlu.analyzed", "rag.retrieved", "router.generated"}
    assert "agence" not in str(mine)
