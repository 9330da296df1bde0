"""What is Milvus' own: how it is reached, and that it keeps what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.kit.errors import UpstreamError
from servers.kit.vectors.milvus import Milvus
from tests.kit.vectors.items import AXES, SILENT, ids, item


async def test_a_server_that_is_away_is_an_upstream_error(unused_tcp_port: int) -> None:
    milvus = Milvus(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(UpstreamError):
        await milvus.check()
    with pytest.raises(UpstreamError):
        await milvus.search("demo", AXES[0], SILENT, 1, {})
    await milvus.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in ([], ["x"]):
        milvus = Milvus(str(tmp_path / "vectors.db"))
        assert ids(await milvus.search("demo", AXES[0], SILENT, 5, {})) == expected
        await milvus.put("demo", [item("x", AXES[0], "d")])
        await milvus.close()
