"""The OpenAPI 3.1 document of the REST edge, made from the descriptors at start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import metadata, resources

import orjson

from gateway.transcoding.binding import Parameter, UrlBinding
from gateway.transcoding.contract import Binding, Contract, Rpc
from gateway.transcoding.schema import Schema, Schemas, is_required

_JSON = "application/json"
_BYTES = "application/octet-stream"
_ERRORS = {
    "400": "invalid_input: the request breaks a rule; `details` names the fields.",
    "401": "unauthorized: no credential, or one that is unknown, revoked or expired.",
    "403": "permission_denied: the credential is for another tenant, or lacks the scope.",
    "404": "invalid_input, reason `not_found`: what the request names does not exist for this tenant.",
    "409": "invalid_input, reason `conflict`: the request disagrees with the present state.",
    "413": "invalid_input, reason `too_large`: the body is larger than the gateway takes.",
    "415": "invalid_input, reason `unsupported_media_type`: the body is not JSON in UTF-8.",
    "429": "rate_limited: `Retry-After` says when to come back.",
    "500": "internal_error: a fault of ours; quote the correlation id.",
    "501": "internal_error, reason `unimplemented`: the component is not built yet.",
    "502": "upstream_error: a service behind this one is down; the same request may succeed later.",
    "504": "timeout: the deadline has passed.",
}
_BODY_ERRORS = frozenset({"413", "415"})
_ERROR_CODES = [
    "invalid_input",
    "unauthorized",
    "permission_denied",
    "rate_limited",
    "internal_error",
    "upstream_error",
    "timeout",
]
_NULLABLE = {"type": ["string", "null"]}
_ERROR: Schema = {
    "type": "object",
    "description": "The envelope with `error` in place of `data`; what is not known of the request is null.",
    "properties": {
        "schema_version": {"type": "string"},
        "tenant": _NULLABLE,
        "channel": _NULLABLE,
        "message_id": _NULLABLE,
        "correlation_id": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "locale": _NULLABLE,
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "enum": _ERROR_CODES},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "description": "A field and what is wrong with it, or a reason that tells kinds of one code apart.",
                        "properties": {name: {"type": "string"} for name in ("field", "description", "reason")},
                    },
                },
            },
            "required": ["code", "message", "details"],
        },
    },
    "required": ["schema_version", "tenant", "channel", "message_id", "correlation_id", "timestamp", "locale", "error"],
}
_REFUSAL = {
    "schema_version": "1.0",
    "tenant": "demo",
    "channel": "facebook",
    "message_id": "msg_9fa2",
    "correlation_id": "corr_42",
    "timestamp": "2025-08-14T10:00:00.004Z",
    "locale": "fr-MA",
    "error": {
        "code": "invalid_input",
        "message": "data.user_text must be a string, not a number",
        "details": [{"field": "data.user_text", "description": "must be a string, not a number"}],
    },
}
_DEADLINE: Schema = {
    "name": "X-Timeout-Ms",
    "in": "header",
    "description": "A deadline shorter than the RPC's own, in milliseconds.",
    "schema": {"type": "integer", "minimum": 1},
}
_REQUEST_ID: Schema = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Becomes the `message_id` of the request; a new one when left out.",
    "schema": {"type": "string", "maxLength": 256},
}

_OF_FILES: list[Schema] = [
    {
        "name": "name",
        "in": "query",
        "description": "Name of the file with its ending, for instance `guide.pdf`.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 300},
    },
    {
        "name": "tenant",
        "in": "query",
        "description": "The tenant; that of the key when left out.",
        "schema": {"type": "string"},
    },
]


def openapi_document(contract: Contract, uploads: Sequence[Rpc] = ()) -> bytes:
    """The document as JSON: a path for each REST form of each RPC, a tag for each service, a schema for each message.

    `uploads` are RPCs that take a stream of pieces of a file, which is the whole body on REST.
    """
    rpcs = [*contract.rpcs(), *uploads]
    in_path = {
        variable.field.full_name
        for rpc in rpcs
        for binding in rpc.bindings
        if binding.with_body
        for variable in UrlBinding(rpc, binding).variables
    }
    schemas = Schemas(contract.comments, in_path)
    paths: dict[str, dict[str, Schema]] = {}
    names = Counter(rpc.descriptor.name for rpc in rpcs)
    for rpc in rpcs:
        name = rpc.descriptor.name
        if names[name] > 1:
            name = rpc.descriptor.containing_service.name.removesuffix("Service") + name
        for index, binding in enumerate(rpc.bindings, 1):
            operation = _operation(contract, schemas, rpc, binding)
            operation["operationId"] = name if index == 1 else f"{name}{index}"
            paths.setdefault(binding.template.documented, {})[binding.verb.lower()] = operation
    used = {rpc.descriptor.containing_service.full_name for rpc in rpcs}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "SalamBot",
            "version": metadata.version("salambot"),
            "description": (resources.files(__package__) / "introduction.md").read_text("utf-8"),
        },
        "security": [{"key": []}],
        "tags": [
            {"name": service.name, "description": contract.comments.get(service.full_name, "")}
            for service in contract.services
            if service.full_name in used
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A tenant's API key."}},
            "schemas": {**dict(sorted(schemas.components.items())), "Error": _ERROR},
            "responses": {status: _error(status) for status in _ERRORS},
        },
    }
    return orjson.dumps(document)


def _operation(contract: Contract, schemas: Schemas, rpc: Rpc, binding: Binding) -> Schema:
    method = rpc.descriptor
    comment = contract.comments.get(method.full_name, "")
    url = UrlBinding(rpc, binding)
    parameters = [_parameter(schemas, item, "path") for item in url.variables]
    parameters += [_parameter(schemas, item, "query") for item in url.query]
    parameters += [_DEADLINE] if binding.with_body else [_DEADLINE, _REQUEST_ID]
    operation: Schema = {
        "tags": [method.containing_service.name],
        "summary": comment.split(". ")[0].rstrip("."),
        "description": comment,
        "parameters": parameters,
        "responses": {
            "200": _success(schemas, rpc),
            **{
                status: {"$ref": f"#/components/responses/{status}"}
                for status in _ERRORS
                if binding.with_body or status not in _BODY_ERRORS
            },
        },
    }
    if method.client_streaming:
        operation["parameters"] += _OF_FILES
        operation["requestBody"] = {
            "required": True,
            "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
        }
    elif binding.with_body:
        operation["requestBody"] = {
            "required": True,
            "content": {_JSON: _content(schemas.reference(method.input_type), rpc.example.request)},
        }
    return operation


def _parameter(schemas: Schemas, parameter: Parameter, place: str) -> Schema:
    schema = schemas.field(parameter.field)
    description = schema.pop("description", "")
    name = parameter.dotted if place == "path" else parameter.dotted.removeprefix("data.")
    described: Schema = {"name": name, "in": place, "description": description, "schema": schema}
    if place == "path" or is_required(parameter.field):
        described["required"] = True
    return described


def _success(schemas: Schemas, rpc: Rpc) -> Schema:
    schema = schemas.reference(rpc.descriptor.output_type)
    if rpc.descriptor.server_streaming:
        return {
            "description": "Server-sent events, each named after the member of `data` that it holds; an event `error` "
            "holds the error envelope and ends the stream. The schema is that of an event's `data:` line.",
            "content": {"text/event-stream": _content(schema, rpc.example.response)},
        }
    return {"description": "The reply.", "content": {_JSON: _content(schema, rpc.example.response)}}


def _content(schema: Schema, example: str) -> Schema:
    return {"schema": schema, "example": orjson.loads(example)} if example else {"schema": schema}


def _error(status: str) -> Schema:
    response: Schema = {
        "description": _ERRORS[status],
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == "400":
        response["content"][_JSON]["example"] = _REFUSAL
    if status == "429":
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
        }
    return response
