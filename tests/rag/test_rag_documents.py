"""The chunker: nothing lost, every passage short and in its own place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.rag.documents import MOST_CHARACTERS, passages_of

_LINES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "",
            "# Titre",
            "## Titre {#a}",
            "## Titre {#a}",
            "### a 2",
            "#",
            "# {#a-2}",
            "```",
            "~~~~",
            "    # code",
            "#pas un titre",
        ]
    ),
    st.text(alphabet="ab .؟۔\n", min_size=800, max_size=2500),
)


@given(st.lists(_LINES, max_size=30))
def test_no_text_is_lost_and_every_place_is_its_own(lines: list[str]) -> None:
    text = "\n".join(lines)
    passages = passages_of(text)
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
    assert [tuple(passage) for passage in passages_of(text)] == [
        ("#", "", "Bienvenue."),
        ("#voir-facture", "Voir ma facture", "Ici."),
        ("#ou-payer", "Où payer ?", "Là."),
        ("#c", "C#", "x"),
        ("#اين-ادفع", "أين أدفع؟", "هنا"),
    ]


def test_the_same_heading_twice_is_two_places_and_a_named_place_keeps_its_name() -> None:
    passages = passages_of("## A\n1\n## A\n2\n## B {#a-2}\n3\n## C {#a-2}\n4")
    assert [(passage.loc, passage.text) for passage in passages] == [
        ("#a", "1"),
        ("#a-3", "2"),
        ("#a-2", "3"),
        ("#a-2-2", "4"),
    ]


def test_headings_inside_code_fences_are_text() -> None:
    passages = passages_of("## Script\n```sh\n# not a heading\n~~~\n```\nafter\n## Next\nx")
    assert [passage.loc for passage in passages] == ["#script", "#next"]
    assert "# not a heading" in passages[0].text


def test_long_sections_are_cut_behind_sentences() -> None:
    for end in ".!?؟۔؛":
        sentence = f"{'mot ' * 30}fin{end}"
        passages = passages_of("## Long {#long}\n" + " ".join([sentence] * 30))
        assert [passage.loc for passage in passages][:3] == ["#long", "#long-2", "#long-3"]
        assert all(passage.text.endswith(end) for passage in passages)


def test_headings_without_text_make_no_passage() -> None:
    assert passages_of("# A\n\n## B {#b}\n  \n") == []
    assert passages_of("") == []


@pytest.mark.timeout(60)  # quadratic time would be hours
def test_odd_megabytes_are_read_in_linear_time() -> None:
    for text in (
        "#" * 10**6,
        "# " + " " * 10**6,
        "a" * 10**6,
        "## a\nb\n" * 140_000,
        "`" * 10**6,
        "# {#" * 250_000,
        ". " * 500_000,
    ):
        passages_of(text)
