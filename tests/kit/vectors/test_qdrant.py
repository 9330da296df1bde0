"""What is Qdrant's own: how it is reached, and that it keeps what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.kit.errors import UpstreamError
from servers.kit.vectors.qdrant import Qdrant
from tests.kit.vectors.items import AXES, SILENT, ids, item, terms


async def test_a_server_that_is_away_is_an_upstream_error(unused_tcp_port: int) -> None:
    qdrant = Qdrant(f"http://127.0.0.1:{unused_tcp_port}", "secret")
    with pytest.raises(UpstreamError):
        await qdrant.check()
    with pytest.raises(UpstreamError):
        await qdrant.search("demo", AXES[0], SILENT, 1, {})
    await qdrant.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in ([], ["x"]):
        qdrant = Qdrant(str(tmp_path))
        assert ids(await qdrant.search("demo", AXES[0], terms({1: 1.0}), 5, {})) == expected
        await qdrant.put("demo", [item("x", AXES[0], "d", {1: 1.0})])
        await qdrant.close()
