"""The form of a tenant's name, checked wherever one becomes part of a statement, an expression or a path."""

from __future__ import annotations

import re

from servers.kit.errors import InternalError

_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def checked_tenant(tenant: str) -> str:
    """`tenant` itself; InternalError when no tenant can be called so, whatever was checked before."""
    if not _FORM.fullmatch(tenant):
        raise InternalError("a store was opened for a tenant whose name cannot be one")
    return tenant
