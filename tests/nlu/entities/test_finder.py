from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.personal_data import find
from servers.nlu.entities import find_entities
from tests.nlu.entities.ordinary import SENTENCES
from tests.nlu.entities.reading import NOW, all_found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fin wslat lcommande n° 88213", [("order_number", "88213", "88213")]),
        ("where is my order #12345?", [("order_number", "12345", "12345")]),
        ("commande AB123457 svp", [("order_number", "AB123457", "AB123457")]),
        ("الطلبية رقم 5521", [("order_number", "5521", "5521")]),
        ("suivi CMD-2024-118", [("order_number", "CMD-2024-118", "CMD-2024-118")]),
        ("la facture n° 20458 par mail", [("invoice_number", "20458", "20458")]),
        ("فاتورة رقم 774", [("invoice_number", "774", "774")]),
        ("نمرة الكونطرا 55019", [("account_number", "55019", "55019")]),
        ("TKT-2025-004 toujours rien", [("ticket_number", "TKT-2025-004", "TKT-2025-004")]),
        ("voir https://atlas.ma/suivi?id=1.", [("url", "https://atlas.ma/suivi?id=1", "https://atlas.ma/suivi?id=1")]),
        ("a@b.ma", [("email", "a@b.ma", "a@b.ma")]),
        ("appelez le 0612345678", [("phone", "+212612345678", "0612345678")]),
        ("smiti karim", [("person", "Karim", "karim")]),
        # the more specific has the words
        ("facture du 12/03/2025", [("date", "2025-03-12", "12/03/2025")]),
        ("bghit 06 12 34 56 78", [("phone", "+212612345678", "06 12 34 56 78")]),
        ("bghit 250 dh", [("amount", "250.00 MAD", "250 dh")]),
        ("2 dyal mars", [("date", "2027-03-02", "2 dyal mars")]),
        ("10 d sbah", [("time", "10:00", "10 d sbah")]),
        (
            "2 kg d tmer b 120 dh l casa ghda",
            [
                ("quantity", "2 kg", "2 kg"),
                ("amount", "120.00 MAD", "120 dh"),
                ("city", "Casablanca", "casa"),
                ("date", "2026-11-21", "ghda"),
            ],
        ),
    ],
)
def test_entities_point_at_what_was_written(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert all_found(text) == expected


@pytest.mark.parametrize("text", SENTENCES)
def test_ordinary_sentences_name_nothing(text: str) -> None:
    assert all_found(text) == []


pieces = st.one_of(
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from(
        [
            "2500 dh",
            "😡😡",
            "الفاتورة رقم ٧٧٤",
            "#88213",
            "06 12 34 56 78",
            "a@b.ma",
            "www.x.ma",
            "é́",
            "👨‍👩‍👧",
            "\u202b",
            "غَدًا",
            "hadi 3 iyam",
            "12/03/2025",
            "فالرباطــ",
            "ال\u200fدار البيضاءء",
            "smiti K\u0301arim",
            "٣ أيام",
            "m3a 3",
            "XXXL",
            "\ud800",
            "jouj d",
            "بغيت",
            "مليون ونص",
            "le",
            "w",
            "d",
            "mars",
            "İstanbul",
            "12-3",
            "1 000 000 000 000 000 dh",
            "à 25h61",
            "ﷺ",
        ]
    ),
)


@given(st.lists(pieces, max_size=10), st.sampled_from([" ", "", "\u200f", "ـ"]))
def test_offsets_always_cut_the_text_in_order_without_overlap(parts: list[str], between: str) -> None:
    text = between.join(parts)
    last = 0
    for entity in find_entities(text, find(text), NOW):
        assert last <= entity.start < entity.end <= len(text)
        assert entity.value
        assert not text[entity.start].isspace()
        assert not text[entity.end - 1].isspace()
        last = entity.end


def test_offsets_count_code_points() -> None:
    text = "😡👍🏽 commande 88213"
    (entity,) = find_entities(text, [], NOW)
    assert text[entity.start : entity.end] == "88213"


@pytest.mark.parametrize(
    "text",
    [
        "1 ",
        "12/",
        "+1 ",
        "AB12 ",
        "ا",
        "12 mars ",
        "3 iyam mn daba ",
        "m. ",
        "Karim ",
        "el ",
        "www.",
        "dh 1 ",
        "w miya ",
        "ـ",
        "a@",
        "1 000 ",
        "+33 6 12 34 5 ",
        "4 ",
        "hadi ",
        "lll ",
        "je m'appelle ",
        "بن ",
        "الدار ",
    ],
)
def test_the_time_is_linear(text: str) -> None:
    long = (text * 20_000)[:20_000]
    start = perf_counter()
    find_entities(long, find(long), NOW)
    assert perf_counter() - start < 4.0  # a pattern that backtracks takes minutes
