"""Markdown by its headings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.rag.chunking import MOST_CHARACTERS, passages_of
from servers.rag.extraction.markdown import parts_of

_LINES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "",
            "# Titre",
            "## Titre {#a}",
            "### a 2",
            "#",
            "# {#a-2}",
            "```",
            "~~~~",
            "    # code",
            "#pas un titre",
            "## P {#page=3}",
        ]
    ),
    st.text(alphabet="ab .؟۔\n", min_size=800, max_size=2500),
)


@given(st.lists(_LINES, max_size=30))
def test_no_text_is_lost_and_every_place_is_its_own(lines: list[str]) -> None:
    text = "\n".join(lines)
    passages = passages_of(parts_of(text))
    assert len({passage.loc for passage in passages}) == len(passages)
    assert all(passage.loc.startswith("#") for passage in passages)
    assert all(0 < len(passage.text) <= MOST_CHARACTERS for passage in passages)
    written = re.sub(r"\r\n|\r", "\n", text)
    position = 0
    between = []
    for passage in passages:
        found = written.index(passage.text, position)
        between += written[position:found].split("\n")
        position = found + len(passage.text)
    between += written[position:].split("\n")
    assert all(not line.strip() or line.lstrip(" ").startswith("#") for line in between), "only headings are left out"


def test_headings_name_places() -> None:
    text = "Bienvenue.\n\n# Factures\n## Voir ma facture {#voir-facture}\nIci.\n## Où payer ? ##\nLà.\n## C#\nx\n## أين أدفع؟\nهنا"
    assert [tuple(part) for part in parts_of(text)] == [
        ("#", "", "Bienvenue."),
        ("#voir-facture", "Voir ma facture", "Ici."),
        ("#ou-payer", "Où payer ?", "Là."),
        ("#c", "C#", "x"),
        ("#اين-ادفع", "أين أدفع؟", "هنا"),
    ]


def test_the_same_heading_twice_is_two_places_and_a_named_place_keeps_its_name() -> None:
    parts = parts_of("## A\n1\n## A\n2\n## B {#a-2}\n3\n## C {#a-2}\n4")
    assert [(part.loc, part.text) for part in parts] == [("#a", "1"), ("#a-3", "2"), ("#a-2", "3"), ("#a-2-2", "4")]


def test_headings_inside_code_fences_are_text() -> None:
    parts = parts_of("## Script\n```sh\n# not a heading\n~~~\n```\nafter\n## Next\nx")
    assert [part.loc for part in parts] == ["#script", "#next"]
    assert "# not a heading" in parts[0].text


def test_headings_without_text_make_no_part() -> None:
    assert parts_of("# A\n\n## B {#b}\n  \n") == []
    assert parts_of("") == []


@pytest.mark.timeout(60)  # quadratic time would be hours
@pytest.mark.parametrize("piece", ["#", " ", "a", "## a\nb\n", "`", "# {#", ". ", "# " + "a" * 1000 + "\n"])
def test_odd_megabytes_are_read_in_linear_time(piece: str) -> None:
    passages_of(parts_of("# " + piece * (10**6 // len(piece))))
