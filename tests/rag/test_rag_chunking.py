"""The chunker: nothing lost, nothing twice, every passage short and in its own place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.rag.chunking import MOST_CHARACTERS, passages_of
from servers.rag.passages import Part, Passage

_TABLE = "| Ville | Horaires |\n|---|:--:|\n"
_TEXTS = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet="ab .؟۔\n|9\u00a0,", min_size=400, max_size=2500),
        st.sampled_from(["\n\n", "\n", "- un\n", "Où ?\n\n", _TABLE, "| Rabat | 9h |\n", f"| {'x ' * 700}|\n"]),
        st.integers(1, 60).map(lambda rows: _TABLE + "| Rabat | 9h-18h, sauf le dimanche |\n" * rows),
    ),
    max_size=12,
).map("".join)


def whole(*texts: str) -> list[Passage]:
    return passages_of([Part(f"#{index}", "", text) for index, text in enumerate(texts)])


@given(st.lists(st.tuples(st.sampled_from(["#", "#a", "#a-2", "#page=3"]), _TEXTS), unique_by=lambda part: part[0]))
def test_nothing_is_lost_nothing_is_doubled_and_every_place_is_its_own(written: list[tuple[str, str]]) -> None:
    parts = [Part(loc, f"title of {loc}", text) for loc, text in written]
    passages = passages_of(parts)
    assert len({passage.loc for passage in passages}) == len(passages)
    assert all(0 < len(passage.text) <= MOST_CHARACTERS for passage in passages)
    for part in parts:
        rest = part.text.strip()
        for passage in (each for each in passages if each.title == part.title):
            body = passage.text
            if not rest.startswith(body):  # it goes on with a table, under the header
                body = body.split("\n", 2)[2]
            assert rest.startswith(body)
            rest = rest[len(body) :].lstrip()
        assert not rest


@pytest.mark.parametrize("end", [".", "!", "?", "؟", "۔", "؛", ".»", "…"])
def test_long_texts_are_cut_behind_sentences(end: str) -> None:
    passages = whole(" ".join([f"{'mot ' * 30}fin{end}"] * 30))
    assert [passage.loc for passage in passages][:3] == ["#0", "#0-2", "#0-3"]
    assert all(passage.text.endswith(end) for passage in passages)


@pytest.mark.parametrize(
    "kept",
    [
        "M. Alaoui",
        "Tél. 0522",
        "art. 12",
        "p. 3",
        "99,50 DH",
        "06 61 22 33 44",
        "1.500",
        "https://a.ma/?q=1.2;b",
        "5\u00a0%",
    ],
)
def test_no_cut_falls_inside_what_belongs_together(kept: str) -> None:
    for length in range(4, 40):
        for filling in ("mot", "كلمة،"):
            text = f"{filling} " * length + " ".join([f"{'m' * length} {kept}"] * 60)
            assert sum(passage.text.count(kept) for passage in whole(text)) == 60


def test_paragraphs_are_better_than_sentences_and_a_question_stays_with_its_answer() -> None:
    question = "Comment payer ?\n\nEn agence. Ou en ligne, avec une carte. " + "Une phrase de plus. " * 8
    passages = whole("\n\n".join([question] * 12))
    assert len(passages) > 2
    assert all(passage.text.startswith("Comment payer ?") for passage in passages)


def test_items_stay_whole() -> None:
    items = [f"- article {number} : il coûte 99 DH. Livré en {number} jours" for number in range(60)]
    cut = [line for passage in whole("\n".join(items)) for line in passage.text.split("\n")]
    assert cut == items


def test_a_long_table_is_cut_between_rows_under_its_header_each_time() -> None:
    rows = [f"| Agence {number} | de 9h à 18h |" for number in range(80)]
    passages = whole(f"Nos agences\n\n{_TABLE}" + "\n".join(rows) + "\n\nBienvenue.")
    assert len(passages) > 2
    assert passages[0].text.startswith(f"Nos agences\n\n{_TABLE}")
    assert all(passage.text.startswith(_TABLE) for passage in passages[1:])
    assert [line for passage in passages for line in passage.text.split("\n") if "Agence" in line] == rows
    assert passages[-1].text.endswith("\n\nBienvenue.")


def test_pieces_are_of_like_length() -> None:
    lengths = [len(passage.text) for passage in whole("Une phrase de dix mots, ni longue ni courte. " * 21)]
    assert len(lengths) == 2
    assert min(lengths) > 400


def test_a_letter_keeps_its_vowel_signs() -> None:
    text = "مَّ" * 1000
    assert all(re.fullmatch("(مَّ)+", passage.text) for passage in whole(text))


@pytest.mark.timeout(60)  # quadratic time would be hours
@pytest.mark.parametrize("piece", ["a", "\n", " ", "\na", "\n \n.", "|\n", "|\n|-\n", ". ", "\u0301", "! »»", "a|-|\n"])
def test_odd_megabytes_are_cut_in_linear_time(piece: str) -> None:
    whole("x" + piece * (3 * 10**6 // len(piece)) + "x")
