"""OpenTelemetry on HTTP: one server span per request, named after its route, none per chunk."""

from __future__ import annotations

from typing import Any

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.types import ASGIApp, Scope

from gateway.endpoint import Endpoint
from gateway.exchange import raw_path
from gateway.transcoding.router import Router

_OPERATIONS = "healthz,readyz,metrics"


def traced(app: ASGIApp, router: Router[Endpoint]) -> ASGIApp:
    """The application with a span around each request; identifiers in paths never become names of spans."""

    def details(scope: Scope) -> tuple[str, dict[str, Any]]:
        if scope["type"] != "http":
            return str(scope["type"]), {}
        found = router.find(scope["method"], raw_path(scope))
        if found is None:
            return str(scope["method"]), {}
        route = found.endpoint.binding.template.documented
        return f"{scope['method']} {route}", {"http.route": route}

    return OpenTelemetryMiddleware(
        app, excluded_urls=_OPERATIONS, default_span_details=details, exclude_spans=["receive", "send"]
    )
