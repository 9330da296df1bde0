"""What is Milvus' own: how it is reached, and what stands in its expressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from servers.kit.errors import UpstreamError
from servers.kit.vectors import Item
from servers.kit.vectors.interfaces import DIMENSIONS
from servers.kit.vectors.milvus import Milvus

AXES = np.eye(DIMENSIONS, dtype=np.float32)


async def test_a_server_that_is_away_is_an_upstream_error(unused_tcp_port: int) -> None:
    milvus = Milvus(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(UpstreamError):
        await milvus.check()
    with pytest.raises(UpstreamError):
        await milvus.search("demo", AXES[0], 1, {})
    await milvus.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in ([], ["x"]):
        milvus = Milvus(str(tmp_path / "vectors.db"))
        assert [match.id for match in await milvus.search("demo", AXES[0], 5, {})] == expected
        await milvus.replace("demo", "d", [Item("x", AXES[0], {"document": "d"})])
        await milvus.close()
