import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.person_names import find_names


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("je m'appelle Karim Benali et je veux ma facture", "Karim Benali"),
        ("Je m’appelle omar", "Omar"),
        ("mon nom est Rachid Ouazzani", "Rachid Ouazzani"),
        ("Nom : Hind Tazi", "Hind Tazi"),
        ("my name is Sara El Amrani and I want", "Sara El Amrani"),
        ("my name's John Smith.", "John Smith"),
        ("smiti karim bghit n3ref", "Karim"),
        ("ana smiti fatima zahra alaoui", "Fatima Zahra Alaoui"),
        ("سميتي كريم وبغيت نسول", "كريم"),
        ("اسمي محمد العلوي", "محمد العلوي"),
        ("أنا اسمي عبد الله بن علي", "عبد الله بن علي"),
        ("M. Alami est absent", "Alami"),
        ("Mme Bennani", "Bennani"),
        ("السيدة فاطمة", "فاطمة"),
        ("السيد العلوي", "العلوي"),
        ("Si Mohamed 3afak", "Mohamed"),
        ("Lalla Khadija", "Khadija"),
        ("Le colis de Youssef Tazi est arrivé", "Youssef Tazi"),
        ("Karim BENALI", "Karim BENALI"),
        ("karim bennani bghit nsewwel", "Karim Bennani"),
        ("الطلبية باسم محمد الإدريسي", "محمد الإدريسي"),
    ],
)
def test_a_name_is_found(text: str, value: str) -> None:
    assert {name.value for name in find_names(text)} == {value}


@pytest.mark.parametrize(
    "text",
    [
        "mon nom est sur la facture",
        "mon nom est mal écrit",
        "my name is not on the list",
        "smiti machi mktouba",
        "اسمي غير مكتوب",
        "Madame, Monsieur, bonjour",
        "Monsieur je veux",
        "السيد المدير",
        "Si vous voulez",
        "si c'est possible",
        "SALAM AMINA BGHIT NCHOUF",
        "صباح الخير كريم",
        "avenue Hassan II, boulevard Mohamed V",
        "amina 3afak",
        "dyal karim",
        "he said hello",
    ],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert list(find_names(text)) == []


parts = st.one_of(
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from(
        [
            "smiti",
            "je m'appelle",
            "Karim",
            "el",
            "بن",
            "اسمي",
            "عبد",
            "M.",
            "Si",
            "العلوي",
            "mohamed",
            "El",
            "\u200f",
            "ـ",
        ]
    ),
)


@given(st.lists(parts, max_size=10))
def test_names_lie_in_the_text(texts: list[str]) -> None:
    text = " ".join(texts)
    for name in find_names(text):
        assert 0 <= name.start < name.end <= len(text)
        assert name.value
