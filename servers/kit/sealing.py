"""Secrets at rest: what a process must know again after a restart and nobody else may read."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Broken(Exception):
    """What was sealed cannot be read: with another secret, in another place, or it was changed."""


class Seal:
    """Seals bytes with AES-256-GCM under a key of its own, derived from the installation's secret for `purpose`."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode()).derive(secret))

    def seal(self, content: bytes, place: str) -> bytes:
        """`content`, readable at `place` alone: what is copied to another row cannot be opened there."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed at `place`; raises Broken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise Broken("the secret of the installation is another one than it was sealed with") from None
