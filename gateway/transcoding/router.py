"""Finds the endpoint of a request: a dictionary for fixed paths, one regular expression for all the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

from gateway.transcoding.template import Template

EndpointT = TypeVar("EndpointT")


class Found(NamedTuple, Generic[EndpointT]):
    """An endpoint and the values of its path's variables, still percent-encoded."""

    endpoint: EndpointT
    values: tuple[str, ...]


class Router(Generic[EndpointT]):
    """Endpoints by HTTP method and path template. Raises ValueError when two claim the same requests."""

    def __init__(self, routes: Iterable[tuple[str, Template, EndpointT]]) -> None:
        self._fixed: dict[str, dict[str, EndpointT]] = {}
        shapes: dict[str, dict[str, EndpointT]] = {}
        ranks: dict[str, tuple[int, ...]] = {}
        for verb, template, endpoint in routes:
            if template.variables or template.pattern != re.escape(template.documented):
                methods = shapes.setdefault(template.pattern, {})
                ranks[template.pattern] = template.rank
            else:
                methods = self._fixed.setdefault(template.documented, {})
            if verb in methods:
                raise ValueError(f"two RPCs claim {verb} {template.documented}")
            methods[verb] = endpoint
        # Each alternative ends in an empty group: the number of the last group that matched tells which one it was.
        ordered = sorted(shapes, key=lambda pattern: ranks[pattern])
        self._pattern = re.compile("|".join(f"(?:{pattern}())" for pattern in ordered) or r"(?!)")
        self._shapes: dict[int, tuple[int, dict[str, EndpointT]]] = {}
        group = 0
        for pattern in ordered:
            count = re.compile(pattern).groups
            self._shapes[group + count + 1] = (count, shapes[pattern])
            group += count + 1

    def find(self, verb: str, path: str) -> Found[EndpointT] | None:
        """The endpoint of a request, or None; `path` is as it came, percent-encoded."""
        methods = self._fixed.get(path)
        if methods is not None and verb in methods:
            return Found(methods[verb], ())
        match = self._pattern.fullmatch(path)
        if match is None:
            return None
        last = match.lastindex or 0
        count, methods = self._shapes[last]
        return Found(methods[verb], match.groups()[last - 1 - count : last - 1]) if verb in methods else None

    def methods(self, path: str) -> set[str]:
        """The HTTP methods that `path` answers; empty for a path that is not ours."""
        match = self._pattern.fullmatch(path)
        dynamic = self._shapes[match.lastindex or 0][1] if match else {}
        return {*self._fixed.get(path, {}), *dynamic}


def decoded(value: str) -> str:
    """A percent-encoded path segment as text; raises UnicodeDecodeError when it is not UTF-8."""
    return unquote(value, errors="strict")
