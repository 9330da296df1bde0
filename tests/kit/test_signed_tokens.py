"""Credentials: API keys and the tokens components sign for each other."""

from __future__ import annotations

import base64
import time

import orjson
import pytest

from servers.kit import credentials
from servers.kit.credentials import Signer, digest_of, new_key, split_key
from servers.kit.errors import Unauthorized
from servers.kit.principal import Principal

SECRET = "a secret of at least 32 characters"
WHO = Principal("atlas", "k1", frozenset({1, 4}), "ar-MA")


def test_a_token_brings_the_principal_over() -> None:
    found = Signer(SECRET).check(Signer(SECRET).sign(WHO))
    assert (found.tenant, found.key_id, found.scopes, found.locale) == ("atlas", "k1", {1, 4}, "ar-MA")
    assert found.internal


def test_a_token_lasts_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = Signer(SECRET).sign(WHO), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 58)
    Signer(SECRET).check(token)
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(Unauthorized):
        Signer(SECRET).check(token)


def test_another_installations_token() -> None:
    with pytest.raises(Unauthorized):
        Signer(SECRET).check(Signer("another secret of at least 32 chars").sign(WHO))


def forged() -> list[str]:
    """Tokens nobody signed."""
    body, mac = Signer(SECRET).sign(WHO).removeprefix("int_").split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(body))
    claims[0] = "other"
    changed = base64.urlsafe_b64encode(orjson.dumps(claims)).decode()
    tokens = [f"{changed}.{mac}", f"{body}.", body, f"{body}.{mac[:-1]}", f"{body}.{mac.upper()}", f".{mac}", ".", ""]
    return [f"int_{token}" for token in (*tokens, "é.é", f"{body}.{mac}\n", f"{body}.{mac}.{mac}")]


@pytest.mark.parametrize("token", forged(), ids=[f"forged{n}" for n in range(len(forged()))])
def test_a_forged_token(token: str) -> None:
    with pytest.raises(Unauthorized):
        Signer(SECRET).check(token)


def test_keys_are_long_and_only_their_hash_is_stored() -> None:
    key, other = new_key(), new_key()
    assert key.token != other.token
    key_id, secret = split_key(key.token)
    assert key_id == key.key_id
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert digest_of(secret) == key.digest
    assert secret.encode() not in key.digest


@pytest.mark.parametrize(
    "token", ["", "sk_", "sk__", "sk_a", "sk__secret", "sk_../_x", "pk_a_b", "sk_a b_c", "sk_\0_c"]
)
def test_what_is_no_key(token: str) -> None:
    with pytest.raises(Unauthorized):
        split_key(token)


def test_every_refusal_says_the_same() -> None:
    with pytest.raises(Unauthorized) as caught:
        split_key("x")
    assert caught.value.message == credentials.refuse().message
