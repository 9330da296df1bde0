"""Options that the commands of `salambot kb` share."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[str, typer.Option(help="Gateway to ask; the one running here without it.")]
Tenant = Annotated[str, typer.Option(help="Whose knowledge; the API key, from SALAMBOT_KEY, must be this tenant's.")]
