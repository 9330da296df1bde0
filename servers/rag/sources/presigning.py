"""Addresses of S3 with their permission in them: AWS Signature Version 4, in the query.

A bucket's server is named by a tenant, so it is asked over `fetching.Web`, which checks where each connection goes; clients of
S3 follow redirects to anywhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from typing import NamedTuple
from urllib.parse import quote

import httpx

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class Keys(NamedTuple):
    """Credentials, and the region that they are used in."""

    access: str
    secret: str
    region: str


def address(server: httpx.URL, path: str, query: Mapping[str, str]) -> httpx.URL:
    """The address of a path on a server, as anyone may ask for it."""
    return httpx.URL(f"{server.scheme}://{server.netloc.decode()}{_escaped(path, '/')}?{_joined(query)}")


def presigned(
    server: httpx.URL, path: str, query: Mapping[str, str], keys: Keys, *, at: datetime, seconds: int
) -> httpx.URL:
    """The same for those who hold `keys`, for `seconds` from `at`, UTC."""
    moment = f"{at:%Y%m%dT%H%M%SZ}"
    scope = (f"{at:%Y%m%d}", keys.region, "s3", "aws4_request")
    signed = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": "/".join((keys.access, *scope)),
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    host = server.netloc.decode()
    request = "\n".join(("GET", _escaped(path, "/"), _joined(signed), f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"))
    words = "\n".join((_ALGORITHM, moment, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()))
    key = reduce(_digest, scope, f"AWS4{keys.secret}".encode())
    return address(server, path, {**signed, "X-Amz-Signature": _digest(key, words).hex()})


def _digest(key: bytes, words: str) -> bytes:
    return hmac.digest(key, words.encode(), "sha256")


def _joined(query: Mapping[str, str]) -> str:
    return "&".join(sorted(f"{_escaped(name)}={_escaped(value)}" for name, value in query.items()))


def _escaped(text: str, kept: str = "") -> str:
    return quote(text, safe=_UNRESERVED + kept)
