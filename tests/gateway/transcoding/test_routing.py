"""From `google.api.http` options to routes."""

from __future__ import annotations

import re

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from gateway.transcoding.binding import UrlBinding
from gateway.transcoding.contract import Contract, ContractError, Rpc, rpc_of
from gateway.transcoding.refusal import Refused
from gateway.transcoding.router import Router, decoded
from gateway.transcoding.template import Template

ROUTES = [
    ("GET", "/v1/tickets"),
    ("GET", "/v1/tickets/open"),
    ("GET", "/v1/tickets/{data.id}"),
    ("PUT", "/v1/tickets/{data.ticket.id}"),
    ("POST", "/v1/tickets/{data.id}:close"),
    ("POST", "/v1/tickets:close"),
    ("GET", "/v1/{name=projects/*/logs/*}"),
    ("GET", "/v1/files/{path=**}"),
    ("GET", "/v1/*/any"),
]


@pytest.fixture
def router() -> Router[str]:
    return Router((verb, Template.parse(path), f"{verb} {path}") for verb, path in ROUTES)


@pytest.mark.parametrize(
    ("verb", "path", "endpoint", "values"),
    [
        ("GET", "/v1/tickets", 0, ()),
        ("GET", "/v1/tickets/open", 1, ()),
        ("GET", "/v1/tickets/TKT-2026-001", 2, ("TKT-2026-001",)),
        ("PUT", "/v1/tickets/a%2Fb", 3, ("a%2Fb",)),
        ("POST", "/v1/tickets/5:close", 4, ("5",)),
        ("POST", "/v1/tickets:close", 5, ()),
        ("GET", "/v1/projects/p/logs/l", 6, ("projects/p/logs/l",)),
        ("GET", "/v1/files/a/b/c", 7, ("a/b/c",)),
        ("GET", "/v1/x/any", 8, ()),
    ],
)
def test_requests_find_their_route(
    router: Router[str], verb: str, path: str, endpoint: int, values: tuple[str]
) -> None:
    found = router.find(verb, path)
    assert found is not None
    assert (found.endpoint, found.values) == (" ".join(ROUTES[endpoint]), values)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1/tickets/"),
        ("GET", "/v1/tickets/a/b"),
        ("POST", "/v1/tickets/open"),
        ("GET", "/V1/tickets"),
        ("GET", ""),
    ],
)
def test_other_requests_find_none(router: Router[str], verb: str, path: str) -> None:
    assert router.find(verb, path) is None


def test_methods_of_a_path(router: Router[str]) -> None:
    assert router.methods("/v1/tickets/open") == {"GET", "PUT"}
    assert router.methods("/v1/tickets/5:close") == {"POST"}
    assert router.methods("/v2") == set()


def test_two_claims_on_one_route_stop_the_start() -> None:
    same = [("GET", Template.parse(path), path) for path in ("/v1/a/{data.id}", "/v1/a/{data.name}")]
    with pytest.raises(ValueError, match=re.escape("two RPCs claim GET /v1/a/{data.name}")):
        Router(same)


@pytest.mark.parametrize("path", ["v1/a", "/v1/{a}/{a}", "/v1/a b", "/v1/{a", "/v1/{a=b c}"])
def test_templates_that_are_not_well_formed(path: str) -> None:
    with pytest.raises(ValueError, match="the path"):
        Template.parse(path)


def test_every_rpc_of_the_contract_is_reached_by_its_own_route(contract: Contract) -> None:
    routes = [(binding, rpc) for rpc in contract.rpcs() for binding in rpc.bindings]
    router = Router((binding.verb, binding.template, rpc.path) for binding, rpc in routes)
    assert routes
    for binding, rpc in routes:
        found = router.find(binding.verb, re.sub(r"\{[^}]+\}", "x-1", binding.template.documented))
        assert found is not None
        assert found.endpoint == rpc.path


def sample(rule: dict[str, object]) -> MethodDescriptor:
    """An RPC with this `google.api.http` rule over a request with many kinds of fields."""
    file = descriptor_pb2.FileDescriptorProto(name="routing.proto", package="routing", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    inner = file.message_type.add(name="Filter")
    inner.field.add(name="state", number=1, type=9, label=1)
    inner.field.add(name="since", number=2, type=11, label=1, type_name=".google.protobuf.Timestamp")
    data = file.message_type.add(name="Data")
    data.field.add(name="id", number=1, type=9, label=1)
    data.field.add(name="page_size", number=2, type=5, label=1)
    data.field.add(name="tags", number=3, type=9, label=3)
    data.field.add(name="open", number=4, type=8, label=1)
    data.field.add(name="ratio", number=5, type=1, label=1)
    data.field.add(name="filter", number=6, type=11, label=1, type_name=".routing.Filter")
    request = file.message_type.add(name="Request")
    request.field.add(name="data", number=1, type=11, label=1, type_name=".routing.Data")
    method = file.service.add(name="Service").method.add(
        name="Call", input_type=".routing.Request", output_type=".routing.Request"
    )
    http = method.options.Extensions[annotations_pb2.http]
    for name, value in rule.items():
        if name == "additional_bindings":
            http.additional_bindings.add(get=value)
        else:
            setattr(http, name, value)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(descriptor_pool.Default().FindFileByName("google/protobuf/timestamp.proto").serialized_pb)
    pool.Add(file)
    return pool.FindServiceByName("routing.Service").methods_by_name["Call"]


def bound(rule: dict[str, object], values: tuple[str, ...], query: str) -> dict[str, object]:
    """What the URL says, as JSON."""
    rpc: Rpc = rpc_of(sample(rule))
    given: dict[str, object] = {}
    UrlBinding(rpc, rpc.bindings[0]).bind(given, values, query.encode())
    return given


def test_query_parameters_of_every_kind() -> None:
    query = "page_size=5&tags=a&tags=b%20c&open=true&ratio=-2&filter.state=open&filter.since=2025-08-14T10:00:00Z"
    assert bound({"get": "/v1/x/{data.id}"}, ("7",), query)["data"] == {
        "id": "7",
        "page_size": 5,
        "tags": ["a", "b c"],
        "open": True,
        "ratio": -2,
        "filter": {"state": "open", "since": "2025-08-14T10:00:00Z"},
    }


def test_additional_bindings_are_forms_of_the_same_rpc() -> None:
    rpc = rpc_of(sample({"post": "/v1/x", "body": "*", "additional_bindings": "/v1/x/{data.id}"}))
    assert [(b.verb, b.template.documented, b.with_body) for b in rpc.bindings] == [
        ("POST", "/v1/x", True),
        ("GET", "/v1/x/{data.id}", False),
    ]


@pytest.mark.parametrize("query", ["%ff=1", "id=%ff", "&".join(f"tags={i}" for i in range(65)), "id=1"])
def test_queries_that_are_refused(query: str) -> None:
    with pytest.raises(Refused):
        bound({"get": "/v1/x/{data.id}"}, ("7",), query)


def test_a_path_that_is_not_utf_8_is_refused() -> None:
    assert decoded("caf%C3%A9%2F1") == "café/1"
    with pytest.raises(Refused) as refused:
        bound({"get": "/v1/x/{data.id}"}, ("%ff",), "")
    assert refused.value.path == "data.id"


@pytest.mark.parametrize(
    "rule",
    [
        {"post": "/v1/x", "body": "data"},
        {"get": "/v1/x/{data.nothing}"},
        {"get": "/v1/x/{data.filter}"},
        {"get": "/v1/x/{data.tags}"},
        {"get": "v1/x"},
    ],
)
def test_rules_that_cannot_be_served_stop_the_start(rule: dict[str, object]) -> None:
    with pytest.raises(ContractError, match=r"routing\.Service\.Call"):
        bound(rule, ("1",), "")
