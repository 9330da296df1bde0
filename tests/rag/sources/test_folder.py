"""Folders of the server's disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servers.kit.errors import InvalidInput, NotFound
from servers.rag.sources.folder import Folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for imports, and a secret beside it."""
    (tmp_path / "open/guides/sub").mkdir(parents=True)
    (tmp_path / "open/guides/.git").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.md").write_text("secret")
    for name in ("b.md", "a.md", "sub/été عربي.md", ".hidden.md", ".git/config.md"):
        (tmp_path / "open/guides" / name).write_text(name)
    return tmp_path / "open"


async def names(folder: Folder) -> list[str]:
    return [entry.name async for entry in folder.entries()]


async def test_files_are_listed_in_order_and_fetched(root: Path) -> None:
    folder = Folder(str(root / "guides"), [root])
    assert await names(folder) == ["a.md", "b.md", "sub/été عربي.md"]
    assert [entry.size async for entry in folder.entries()] == [4, 4, len("sub/été عربي.md".encode())]
    assert (await folder.fetch("sub/été عربي.md")).data.decode() == "sub/été عربي.md"


async def test_links_stay_within_the_folder(root: Path) -> None:
    guides = root / "guides"
    os.symlink(guides / "a.md", guides / "c.md")
    os.symlink(root.parent / "secret/key.md", guides / "d.md")
    os.symlink(root.parent / "secret", guides / "e")
    os.symlink(guides, guides / "sub/again")
    os.symlink("nowhere", guides / "f.md")
    folder = Folder(str(guides), [root])
    assert await names(folder) == ["a.md", "b.md", "c.md", "sub/été عربي.md"]
    for name in (
        "d.md",
        "e/key.md",
        "f.md",
        "../../secret/key.md",
        str(root.parent / "secret/key.md"),
        "none.md",
        "a\0b",
        "sub",
    ):
        with pytest.raises(NotFound):
            await folder.fetch(name)


@pytest.mark.parametrize("path", ["", "..", "guides/../..", "../secret", "/etc", "none", "../open2"])
def test_only_what_the_operator_opened_is_read(root: Path, path: str) -> None:
    (root.parent / "open2").mkdir()
    with pytest.raises(InvalidInput):
        Folder(str(root / path) if path else "/", [root])
    with pytest.raises(InvalidInput):
        Folder(str(root), [])


def test_a_link_to_a_folder_elsewhere_is_no_way_in(root: Path) -> None:
    os.symlink(root.parent / "secret", root / "link")
    with pytest.raises(InvalidInput):
        Folder(str(root / "link"), [root])


async def test_a_huge_file_is_refused_without_being_read(root: Path) -> None:
    with (root / "guides/huge.md").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(InvalidInput):
        await Folder(str(root / "guides"), [root]).fetch("huge.md")


async def test_pipes_are_no_files(root: Path) -> None:
    os.mkfifo(root / "guides/pipe.md")
    folder = Folder(str(root / "guides"), [root])
    assert "pipe.md" not in await names(folder)
    with pytest.raises(NotFound):
        await folder.fetch("pipe.md")
