"""Path templates of `google.api.http`: `/v1/rag/documents/{data.document.id}`, `/v1/messages:stream`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)(?:=([^{}]+))?\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~%-]+")
_SEGMENT = re.compile(r"/(\{[^{}]*\}|[^/{}]+)")
_PATH = re.compile(rf"(?:{_SEGMENT.pattern})+")
_VERB = re.compile(r":([A-Za-z0-9_-]+)$")


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    `pattern` is a regular expression with one group for each of `variables`, the paths of the fields they set;
    `documented` is the path as OpenAPI writes it. A template without variables matches `documented` alone.
    """

    pattern: str
    variables: tuple[str, ...]
    documented: str
    rank: tuple[int, ...]

    @classmethod
    def parse(cls, template: str) -> Template:
        """Parses a template; raises ValueError for one that is not well formed."""
        verb = _VERB.search(template)
        path = template[: verb.start()] if verb else template
        variables: list[str] = []
        patterns: list[str] = []
        rank: list[int] = []
        for segment in _segments(path):
            variable = _VARIABLE.fullmatch(segment)
            if variable:
                variables.append(variable[1])
                inner = "/".join(_wild(part, template) for part in (variable[2] or "*").split("/"))
                patterns.append(f"({inner})")
            else:
                patterns.append(_wild(segment, template))
            rank.append(int(not _LITERAL.fullmatch(segment)))
        if len(set(variables)) < len(variables):
            raise ValueError(f"the path {template!r} names a variable twice")
        end = verb[0] if verb else ""
        documented = _VARIABLE.sub(lambda match: f"{{{match[1]}}}", path) + end
        # Literals before variables, and a template with a verb before the one whose last variable would swallow it.
        return cls("/" + "/".join(patterns) + re.escape(end), tuple(variables), documented, (*rank, int(not verb)))


def _segments(path: str) -> list[str]:
    """The segments; a slash within braces belongs to its variable."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path {path!r} must be segments, each a name or one variable in braces")
    return _SEGMENT.findall(path)


def _wild(segment: str, template: str) -> str:
    if segment == "*":
        return "[^/]+"
    if segment == "**":
        return ".+"
    if not _LITERAL.fullmatch(segment):
        raise ValueError(f"the path {template!r} has a segment that is neither a name nor a variable: {segment!r}")
    return re.escape(segment)
