"""Stored documents in a local folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.kit.blobs import Blobs
from servers.kit.errors import InternalError, InvalidInput, NotFound


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(None, tmp_path / "blobs")


@pytest.mark.parametrize("name", ["a.pdf", "2026/11/فاتورة été.pdf", "a%2F..%2Fb", "a?b#c\\d:e", "..a/b..", "x" * 200])
async def test_what_is_put_comes_back_until_it_is_deleted(blobs: Blobs, name: str) -> None:
    for data in (b"", b"first \x00\xff", b"second"):
        await blobs.put("demo", name, data)
        assert await blobs.get("demo", name) == data
    await blobs.delete("demo", name)
    with pytest.raises(NotFound):
        await blobs.get("demo", name)


async def test_deleting_nothing_does_nothing(blobs: Blobs) -> None:
    await blobs.delete("demo", "none.pdf")


async def test_a_second_tenant_has_nothing_of_the_first(blobs: Blobs) -> None:
    await blobs.put("demo", "a.pdf", b"1")
    with pytest.raises(NotFound):
        await blobs.get("other", "a.pdf")
    await blobs.delete("other", "a.pdf")
    assert await blobs.get("demo", "a.pdf") == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "../other/a.pdf",
        "a/../../other/a.pdf",
        "./a",
        "a//b",
        "a/",
        "a\0b",
        "a\nb",
        "x" * 201,
    ],
)
async def test_no_name_reaches_out_of_the_tenant_s_folder(blobs: Blobs, tmp_path: Path, name: str) -> None:
    await blobs.put("other", "a.pdf", b"theirs")
    before = files(tmp_path)
    for attempt in (blobs.put("demo", name, b"ours"), blobs.get("demo", name), blobs.delete("demo", name)):
        with pytest.raises(InvalidInput):
            await attempt
    assert files(tmp_path) == before
    assert await blobs.get("other", "a.pdf") == b"theirs"


@pytest.mark.parametrize("tenant", ["", "..", "demo/../other", "/", "Demo"])
async def test_what_cannot_be_a_tenant_is_refused(blobs: Blobs, tenant: str) -> None:
    with pytest.raises(InternalError):
        await blobs.put(tenant, "a.pdf", b"1")
