"""The form of a tenant's name, checked wherever one becomes part of a statement, an expression or a path."""

from __future__ import annotations

import re

from servers.kit.errors import InternalError

_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def is_tenant(name: str) -> bool:
    """Whether a tenant can be called so."""
    return _FORM.fullmatch(name) is not None


def checked_tenant(tenant: str) -> str:
    """`tenant` itself; InternalError when no tenant can be called so, whatever was checked before."""
    if not is_tenant(tenant):
        raise InternalError("a store was opened for a tenant whose name cannot be one")
    return tenant
