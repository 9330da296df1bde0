"""Credentials: tenants' API keys, and the signed word by which components trust each other.

An API key is `sk_<id>_<secret>`; the secret is 256 random bits, so that a single SHA-256 protects it (a slow hash only
pays for what people choose themselves, and would cost 50 ms a request). Only the hash is stored.
A component calls a peer with `int_<claims>.<HMAC-SHA256>`: the principal it acts for, valid for a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

import orjson

from servers.kit.errors import Unauthorized
from servers.kit.principal import Principal

KEY_PREFIX = "sk_"
INTERNAL_PREFIX = "int_"
VALID_S = 60
_REFUSED = "this API key is unknown, revoked or expired"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: `token` is shown once, `key_id` and `digest` are stored."""

    token: str
    key_id: str
    digest: bytes


def new_key() -> NewKey:
    """Makes an API key."""
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return NewKey(f"{KEY_PREFIX}{key_id}_{secret}", key_id, digest_of(secret))


def split_key(token: str) -> tuple[str, str]:
    """The id and the secret of an API key; raises Unauthorized when it is not one."""
    key_id, separator, secret = token.removeprefix(KEY_PREFIX).partition("_")
    if not token.startswith(KEY_PREFIX) or not separator or not key_id.isalnum():
        raise Unauthorized(_REFUSED)
    return key_id, secret


def digest_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def refuse() -> Unauthorized:
    """The one answer to every credential that is not good, so that it tells nothing."""
    return Unauthorized(_REFUSED)


class Signer:
    """Signs and checks what components say of the principal they act for."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, principal: Principal) -> str:
        """A token for one minute."""
        claims = [
            principal.tenant,
            principal.key_id,
            sorted(principal.scopes),
            principal.locale,
            int(time.time()) + VALID_S,
        ]
        body = base64.urlsafe_b64encode(orjson.dumps(claims)).decode()
        return f"{INTERNAL_PREFIX}{body}.{self._mac(body)}"

    def check(self, token: str) -> Principal:
        """The principal of a token; raises Unauthorized when it was not signed with this secret or has expired."""
        body, _, mac = token.removeprefix(INTERNAL_PREFIX).partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(body).encode()):
            raise refuse()
        tenant, key_id, scopes, locale, expires = orjson.loads(base64.urlsafe_b64decode(body))
        if expires < time.time():
            raise refuse()
        return Principal(tenant, key_id, frozenset(scopes), locale, internal=True)

    def _mac(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()
