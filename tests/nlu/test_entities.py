import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.personal_data import find
from servers.nlu.entities import Mention, find_entities


def entities(text: str) -> list[Mention]:
    return find_entities(text, find(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("prix 2500 dh ?", [("amount", "2500.00 MAD", "2500 dh")]),
        ("c'est 1 250,50 DH svp", [("amount", "1250.50 MAD", "1 250,50 DH")]),
        ("1.250.000 dirhams", [("amount", "1250000.00 MAD", "1.250.000 dirhams")]),
        ("شحال ٢٥٠ درهم", [("amount", "250.00 MAD", "٢٥٠ درهم")]),
        ("3tini 2000 ryal", [("amount", "100.00 MAD", "2000 ryal")]),
        ("99€ ou $20.5", [("amount", "99.00 EUR", "99€"), ("amount", "20.50 USD", "$20.5")]),
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
        ("salam 3afak fin n9der nshouf la facture ?", []),
        ("rdv à 10h le 12/05", []),
    ],
)
def test_entities_point_at_what_was_written(text: str, found: list[tuple[str, str, str]]) -> None:
    assert [(entity.type, entity.value, text[entity.start : entity.end]) for entity in entities(text)] == found


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
        ]
    ),
)


@given(st.lists(pieces, max_size=10))
def test_offsets_always_cut_the_text_in_order_without_overlap(parts: list[str]) -> None:
    text = " ".join(parts)
    last = 0
    for entity in entities(text):
        assert last <= entity.start < entity.end <= len(text)
        assert entity.value
        last = entity.end


def test_offsets_count_code_points() -> None:
    text = "😡👍🏽 commande 88213"
    (entity,) = entities(text)
    assert text[entity.start : entity.end] == "88213"
