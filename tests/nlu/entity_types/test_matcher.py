"""The matcher: what customers write is found as the value that the tenant knows, and nothing else is."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from salambot.nlu.v1 import entity_types_pb2

from servers.nlu.entity_types.catalogue import BUILT_IN
from servers.nlu.entity_types.listing import read_values
from servers.nlu.entity_types.matcher import MOST_MENTIONS, Matcher, Mention

ROOT = Path(__file__).parents[3]
PRODUCTS = [
    "Samsung Galaxy S24",
    "Samsung Galaxy S24 Ultra",
    "iPhone 15",
    "Forfait 7go",
    "Forfait 8go",
    "Imprimante Canon",
    "Télévision",
    "SIM",
    "الألياف البصرية",
    "باقة المكالمات",
]


def of_type(
    name: str, *values: str, patterns: Sequence[str] = (), personal: bool = False
) -> entity_types_pb2.EntityType:
    return entity_types_pb2.EntityType(
        name=name,
        values=[entity_types_pb2.EntityValue(value=value) for value in values],
        patterns=patterns,
        personal=personal,
    )


def found(matcher: Matcher, text: str) -> list[tuple[str, str]]:
    return [(mention.value, text[mention.start : mention.end]) for mention in matcher.find(text)]


@pytest.fixture(scope="module")
def products() -> Matcher:
    return Matcher([of_type("product", *PRODUCTS)])


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("bghit SAMSUNG  galaxy-s24 3afak", "Samsung Galaxy S24", "SAMSUNG  galaxy-s24"),
        ("samsung galaxy s24 ultra kayn ?", "Samsung Galaxy S24 Ultra", "samsung galaxy s24 ultra"),
        ("samsung galaxy s 24 kayn ?", "Samsung Galaxy S24", "samsung galaxy s 24"),
        ("😡😡 iphone15 ma kaychargich", "iPhone 15", "iphone15"),
        ("bch7al liphone 15 ?", "iPhone 15", "iphone 15"),
        ("le forfait 8 Go", "Forfait 8go", "forfait 8 Go"),
        ("votre TELEVISION", "Télévision", "TELEVISION"),
        ("la telévisiion", "Télévision", "telévisiion"),
        ("lsim dyali", "SIM", "sim"),
        ("imprimente cannon", "Imprimante Canon", "imprimente cannon"),
        ("imprimnate canon", "Imprimante Canon", "imprimnate canon"),
        ("شحال سامسونغ غالاكسي S24 عفاك", "Samsung Galaxy S24", "سامسونغ غالاكسي S24"),
        ("شحال سامسونگ گالاكسي S24 عفاك", "Samsung Galaxy S24", "سامسونگ گالاكسي S24"),
        ("بغيت إمبريمانت كانون", "Imprimante Canon", "إمبريمانت كانون"),
        ("واش كاين التلفزيون", "Télévision", "التلفزيون"),
        ("مشكل فالألياف البصرية", "الألياف البصرية", "الألياف البصرية"),
        ("مشكل فِي أَليافٍ بصريـــة", "الألياف البصرية", "أَليافٍ بصريـــة"),
        ("فباقة مكالمات", "باقة المكالمات", "باقة مكالمات"),
    ],
)
def test_a_value_is_found_however_it_is_written(products: Matcher, text: str, value: str, written: str) -> None:
    assert found(products, text) == [(value, written)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tu si m'appelles ce soir",
        "samsung galaxy s23",
        "iphone 1 5 8 2",
        "forfait 9 go",
        "la télé",
        "galaxie",
        "سير غير بشوية",
        "😡 ? !",
    ],
)
def test_what_is_something_else_is_not_found(products: Matcher, text: str) -> None:
    assert found(products, text) == []


@pytest.mark.parametrize(
    ("name", "written", "is_meant"),
    [
        ("Climatiseur", "climatisseur", True),  # one too many
        ("Climatiseur", "climatseur", True),  # one too few
        ("Climatiseur", "climatiesur", True),  # two that changed places
        ("Climatiseur", "climatiteur", True),  # another one, in a long word
        ("Climatiseur", "climatitteur", False),
        ("Climatiseur", "xlimatiseur", False),
        ("charge", "chagre", True),
        ("charge", "change", False),  # another word
        ("S24000", "S2400", False),
        ("box", "bo", False),
        ("سماعات", "ساعات", False),  # headphones, hours
        ("تلفزيونات", "تلفزونات", True),
    ],
)
def test_small_typos_are_seen_through(name: str, written: str, *, is_meant: bool) -> None:
    assert found(Matcher([of_type("product", name)]), f"bghit {written} 3afak") == [(name, written)] * is_meant


def test_consonants_alone_decide_between_scripts_and_nowhere_else() -> None:
    matcher = Matcher([of_type("product", "Baskets", "Carte cadeau", "Box wifi", "Samsung S24")])
    for text in (
        "do these biscuits contain nuts",
        "la carte ghadi tsali",
        "because of Eid",
        "سامسونغ S23",
        "الكارط غادي",
    ):
        assert found(matcher, text) == []
    assert found(matcher, "شحال الباسكيتس") == [("Baskets", "الباسكيتس")]


def test_synonyms_name_the_value_and_the_first_of_two_values_has_the_name() -> None:
    box = entity_types_pb2.EntityValue(value="Box 4G", synonyms=["modem", "بوكس"])
    other = entity_types_pb2.EntityValue(value="Box fibre", synonyms=["modem"])
    matcher = Matcher([entity_types_pb2.EntityType(name="product", values=[box, other])])
    assert found(matcher, "lmodem w البوكس") == [("Box 4G", "modem"), ("Box 4G", "البوكس")]


def test_the_longest_mention_wins_over_all_types_and_what_is_personal_over_all_others() -> None:
    brand, product = of_type("brand", "Samsung"), of_type("product", "Samsung Galaxy")
    code = of_type("code", patterns=["[a-z]+-[0-9]+"])
    assert [m.type for m in Matcher([brand, product, code]).find("samsung galaxy w samsung w galaxy-12")] == [
        "product",
        "brand",
        "code",
    ]
    member = of_type("member", "Galaxy", personal=True)
    assert Matcher([product, member]).find("samsung galaxy") == [Mention("member", "Galaxy", 8, 14, True)]


def test_patterns_see_the_text_as_it_was_written() -> None:
    contract = of_type(
        "contract", patterns=[r"(?i)contrat\s+(?:n°\s*)?(AT\d{6})|dossier (\d+)", "ع[٠-٩]{3}"], personal=True
    )
    text = "😡 é́ contrat n° at123456, dossier 77, ع٤٥٦"
    assert found(Matcher([contract]), text) == [("at123456", "at123456"), ("77", "77"), ("ع٤٥٦", "ع٤٥٦")]


def test_empty_matches_are_no_mentions_and_mentions_are_bounded() -> None:
    assert found(Matcher([of_type("nothing", patterns=["x*", "^", "()"])]), "aax") == [("x", "x")]
    text = "bghit 5 " * 300
    assert len(Matcher([of_type("word", "bghit")]).find(text)) == MOST_MENTIONS
    assert len(Matcher([of_type("number", patterns=["[0-9]", "5"])]).find(text)) == MOST_MENTIONS


# Anything, and what is close to names: the same letters in other cases, with signs, stretched, glued, joined.
_NAMES = st.lists(st.one_of(st.sampled_from(PRODUCTS), st.text(max_size=12)), max_size=6)
_PIECES = st.lists(
    st.one_of(
        st.text(st.characters(codec=None), max_size=10),
        st.sampled_from(
            ["ﷺ", "👨‍👩‍👧", "🇲🇦", "\u202b", "\ud800", "بالألياف", "lsamsung", "GALAXYYY", "é́", "ﬁ", "½", "İ"]
        ),
    ),
    max_size=8,
)


@given(_NAMES, _PIECES)
def test_offsets_cut_the_text_in_order_without_overlap(names: list[str], pieces: list[str]) -> None:
    matcher = Matcher([of_type("product", *names), of_type("code", patterns=[r"\pL{2}\d", "."], personal=True)])
    text = " ".join([*pieces, *names])
    last = 0
    for mention in matcher.find(text):
        assert last <= mention.start < mention.end <= len(text)
        assert (
            mention.value in names if mention.type == "product" else mention.value == text[mention.start : mention.end]
        )
        last = mention.end


@given(st.sampled_from(PRODUCTS), _PIECES)
def test_a_value_as_the_tenant_wrote_it_is_always_found(value: str, pieces: list[str]) -> None:
    text = " ! ".join([*pieces, value, *pieces])
    start = len(" ! ".join([*pieces, ""]))
    assert any(
        mention.start <= start and start + len(value) <= mention.end
        for mention in Matcher([of_type("product", *PRODUCTS)]).find(text)
    )


@pytest.mark.timeout(60)  # quadratic time would be hours, exponential time for ever
def test_odd_megabytes_are_read_in_linear_time() -> None:
    matcher = Matcher(
        [of_type("product", *PRODUCTS, "a " * 16, "ا" * 200), of_type("code", patterns=["(a+)+$", "(a|a)*b"])]
    )
    for text in ("a" * 10**6, "a " * 200_000, "samsung " * 50_000, "ال" * 300_000, "ولل" * 10**5, "😡" * 10**5):
        matcher.find(text)


def test_the_demo_catalogue_is_found_in_its_own_words_alone() -> None:
    """Of the sentences written for training, few name a product, and those that do say its words."""
    values = list(read_values(ROOT / "demo" / "products.tsv"))
    assert len({value.value for value in values}) == len(values) >= 60
    matcher = Matcher([entity_types_pb2.EntityType(name="product", values=values)])
    for value in values:
        for name in (value.value, *value.synonyms):
            assert found(matcher, f"bghit {name}") == [(value.value, name)], name
    files = [
        ROOT / "training" / "corpora" / "intents" / f"{name}.tsv"
        for name in ("greeting", "thanks", "goodbye", "bot_identity")
    ]
    for file in files:
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
                assert not [found(matcher, text) for text in row if matcher.find(text)], row


def test_built_in_types_are_those_of_the_contract() -> None:
    comment = re.search(r"a built-in one \((.*?)\)", (ROOT / "proto/salambot/nlu/v1/nlu.proto").read_text(), re.DOTALL)
    assert comment is not None
    assert frozenset(re.findall(r"`(\w+)`", comment[1])) == BUILT_IN
