"""Extraction in child processes: what ends one costs nothing but its own file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from servers.kit.errors import InvalidInput
from servers.rag.extraction import Extractor, UnknownKind

SLOW = b"<p>" * 3_000_000


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "servers.rag.extraction.worker" in child.cmdline()]


@pytest.fixture
async def extractor() -> AsyncIterator[Extractor]:
    """An extractor of two children."""
    opened = Extractor(2)
    yield opened
    await opened.close()
    assert not children()


async def test_files_are_read_apart_by_children_that_are_kept(extractor: Extractor) -> None:
    names = [f"{number}.md" for number in range(6)]
    found = await asyncio.gather(*(extractor.extract(name, f"# Titre {name}\nété عربي".encode()) for name in names))
    assert [each.title for each in found] == [f"Titre {name}" for name in names]
    assert all(each.parts[0].text == "été عربي" for each in found)
    assert 1 <= len(children()) <= 2


async def test_problems_are_told_as_in_this_process(extractor: Extractor) -> None:
    with pytest.raises(UnknownKind):
        await extractor.extract("a.png", b"\x89PNG")
    with pytest.raises(InvalidInput, match="whatever its ending says"):
        await extractor.extract("a.pdf", b"text")
    with pytest.raises(InvalidInput, match="50 MB"):
        await extractor.extract("a.txt", b"a" * 100_000_000)
    assert (await extractor.extract("a.csv", b"question,answer\nO?,x", "text/csv")).media_type == "text/csv"


async def test_a_child_that_dies_is_replaced_and_the_others_go_on(extractor: Extractor) -> None:
    await extractor.extract("a.md", b"x")
    reading = asyncio.create_task(extractor.extract("slow.html", SLOW))
    other = asyncio.create_task(extractor.extract("b.md", b"y"))
    await other
    busy = max(children(), key=lambda child: sum(child.cpu_times()[:2]))
    busy.kill()
    with pytest.raises(InvalidInput, match="time and memory"):
        await reading
    assert (await extractor.extract("c.md", b"z")).parts[0].text == "z"


async def test_a_file_that_takes_too_long_is_given_up() -> None:
    extractor = Extractor(1, deadline=0.7)
    with pytest.raises(InvalidInput, match="too long"):
        await extractor.extract("slow.html", SLOW)
    await extractor.close()
    assert not children()


async def test_a_caller_that_goes_away_leaves_no_child_at_work(extractor: Extractor) -> None:
    reading = asyncio.create_task(extractor.extract("slow.html", SLOW))
    await asyncio.sleep(0.5)
    assert children()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not children()


async def test_memory_is_limited(extractor: Extractor) -> None:
    with pytest.raises(InvalidInput, match="memory"):
        await extractor.extract("a.html", b"<p>" * 16_000_000)
    assert (await extractor.extract("c.md", b"z")).parts[0].text == "z"
