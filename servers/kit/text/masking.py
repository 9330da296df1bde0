"""Masking of personal data, before a text is stored or logged."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from servers.kit.text.personal_data import Finding, Kind, find

_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a hash in digits could look like a phone again


class Policy(StrEnum):
    """What a tenant wants done with personal data."""

    MASK = "mask"
    """`[phone]`: the kind remains."""
    HASH = "hash"
    """`[phone:kbdmcoah]`: the same value gives the same mask, for this key only."""
    KEEP = "keep"
    """The text as it was written."""


def mask(
    text: str,
    policy: Policy = Policy.MASK,
    *,
    key: bytes = b"",
    names: bool = True,
    findings: Sequence[Finding] | None = None,
) -> str:
    """The text with its personal data masked by `policy`.

    `key` is the tenant's secret for `Policy.HASH`, which needs one (ValueError). `names` says whether names of persons
    are masked as well. `findings` spares a second search where `find(text)` was called before.
    """
    if policy is Policy.KEEP:
        return text
    if policy is Policy.HASH and not key:
        raise ValueError("Policy.HASH needs a key: without one, anybody can hash all phone numbers and compare")
    parts, last = [], 0
    for finding in find(text) if findings is None else findings:
        if finding.kind == Kind.PERSON and not names:
            continue
        parts += [text[last : finding.start], _replacement(finding.kind, finding.value, policy, key)]
        last = finding.end
    return "".join([*parts, text[last:]])


def mask_value(kind: str, value: str, policy: Policy = Policy.MASK, *, key: bytes = b"") -> str:
    """What stands for one piece of personal data, found earlier, in the place of its value."""
    return value if policy is Policy.KEEP else _replacement(kind, value, policy, key)


@lru_cache(maxsize=10_000)
def masking_key(secret: bytes, tenant: str) -> bytes:
    """A tenant's key for `Policy.HASH`, from the installation's secret: hashes of two tenants never agree."""
    return hashlib.blake2b(f"{tenant}\0masking".encode(), digest_size=16, key=hashlib.sha256(secret).digest()).digest()


def _replacement(kind: str, value: str, policy: Policy, key: bytes) -> str:
    if policy is Policy.MASK:
        return f"[{kind}]"
    digest = hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:12]
    return f"[{kind}:{digest.translate(_LETTERS)}]"
