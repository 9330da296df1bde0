"""One HTTP request and its reply, on bare ASGI: what the path of a message needs, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.types import Receive, Scope, Send

from gateway.client_address import Proxies
from gateway.errors import TooLarge, UnsupportedMediaType, render
from servers.kit.errors import InvalidInput, SalamError, Unauthorized, Violation

JSON = (b"content-type", b"application/json")
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_API_HEADERS = [*SECURITY_HEADERS, (b"cache-control", b"no-store")]
_TIMEOUT = "X-Timeout-Ms"
_IDENTITY = (b"", b"identity")

Metadata = tuple[tuple[str, str], ...]
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed the connection; nobody is there to be answered."""


class Exchange:
    """A request being answered.

    `given` is the request as parsed JSON, once it could be read; its errors repeat the envelope from it. `status` is 0
    until a reply has begun.
    """

    __slots__ = ("_receive", "_send", "given", "headers", "scope", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.given: object = None
        self.status = 0
        self._receive = receive
        self._send = send

    @property
    def origin(self) -> str | None:
        """The web origin of a browser's cross-origin request."""
        value = self.headers.get(b"origin")
        return value.decode("latin-1") if value is not None else None

    @property
    def correlation_id(self) -> str:
        """The correlation id of the request; empty when it could not be read."""
        known = self.given.get("correlation_id") if type(self.given) is dict else None
        return known if type(known) is str else ""

    def metadata(self, proxies: Proxies) -> Metadata:
        """The metadata of the RPC: the credential as it came, and the client's address."""
        client = self.scope.get("client")
        address = client[0] if client else ""
        forwarded = self.headers.get(b"x-forwarded-for")
        if forwarded is not None:
            address = proxies.client_of(address, forwarded.decode("latin-1"))
        credential = self.headers.get(b"authorization")
        if credential is None:
            return (("x-client-address", address),)
        if not credential.isascii():
            raise Unauthorized("the Authorization header must be `Bearer` and a key in ASCII")
        return (("authorization", credential.decode("ascii")), ("x-client-address", address))

    def timeout(self, longest_s: float) -> float:
        """Seconds the RPC may take: the client's `X-Timeout-Ms`, at most `longest_s`."""
        given = self.headers.get(b"x-timeout-ms")
        if given is None:
            return longest_s
        if not given.isdigit() or len(given) > 9 or not int(given):
            raise InvalidInput(
                f"{_TIMEOUT} must be milliseconds", violations=[Violation(_TIMEOUT, "must be a whole number from 1")]
            )
        return min(longest_s, int(given) / 1000)

    async def body(self, limit: int) -> bytes:
        """The whole body; raises TooLarge as soon as it is known to pass `limit` bytes, UnsupportedMediaType."""
        kind = self.headers.get(b"content-type", b"application/json")
        if kind != b"application/json" and not _is_json(kind):
            raise UnsupportedMediaType("the body must be application/json in UTF-8")
        if self.headers.get(b"content-encoding", b"") not in _IDENTITY:
            raise UnsupportedMediaType("the body must not be compressed")
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise TooLarge(f"the body must be at most {limit} bytes")
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            chunks = [body]
            size = len(body)
            while message.get("more_body"):
                message = await self._receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limit:
                    raise TooLarge(f"the body must be at most {limit} bytes")
            body = b"".join(chunks)
        if message["type"] == "http.disconnect":
            raise ClientGone
        if len(body) > limit:
            raise TooLarge(f"the body must be at most {limit} bytes")
        return body

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes, whatever its type, none of it kept; raises as `body`, and ClientGone when it breaks off."""
        if self.headers.get(b"content-encoding", b"") not in _IDENTITY:
            raise UnsupportedMediaType("the body must not be compressed")
        announced, size, more = self.headers.get(b"content-length", b"0"), 0, True
        if announced.isdigit() and int(announced) > limit:
            raise TooLarge(f"the body must be at most {limit} bytes")
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = message.get("body", b"")
            size, more = size + len(piece), message.get("more_body", False)
            if size > limit:
                raise TooLarge(f"the body must be at most {limit} bytes")
            if piece:
                yield piece

    async def disconnected(self) -> None:
        """Returns when the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Sends the whole reply."""
        length = (b"content-length", str(len(body)).encode())
        await self.start(status, [JSON, length, *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the status and the headers, with those that every reply of the API carries."""
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *_API_HEADERS]})

    async def write(self, chunk: bytes, *, more: bool = True) -> None:
        """Sends a piece of the body; waits while the client is slow to read."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def fail(self, error: SalamError, headers: Headers) -> None:
        """Sends an error as the whole reply."""
        rendered = render(error, self.given)
        await self.reply(rendered.status, rendered.body, [*rendered.headers, *headers])


def raw_path(scope: Scope) -> str:
    """The path as it came, percent-encoded, so that an encoded slash stays part of its segment."""
    return scope["raw_path"].decode("latin-1")  # type: ignore[no-any-return]


def _is_json(content_type: bytes) -> bool:
    kind, _, parameters = content_type.lower().partition(b";")
    kind = kind.strip()
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    return (kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))) and (
        not charset.startswith(b"charset=") or charset == b"charset=utf-8"
    )
