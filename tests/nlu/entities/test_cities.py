import pytest

from servers.kit.text.folding import fold
from servers.nlu.entities.vocabulary import read_rows
from tests.nlu.entities.reading import found


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("je suis à Casablanca", "Casablanca", "Casablanca"),
        ("ana f casa", "Casablanca", "casa"),
        ("mn kaza", "Casablanca", "kaza"),
        ("dar bida", "Casablanca", "dar bida"),
        ("sakn f rbat", "Rabat", "rbat"),
        ("livraison fcasa", "Casablanca", "casa"),
        ("l tanja", "Tanger", "tanja"),
        ("mrakch", "Marrakech", "mrakch"),
        ("mkns", "Meknès", "mkns"),
        ("titwan", "Tétouan", "titwan"),
        ("Laâyoune", "Laâyoune", "Laâyoune"),
        ("la3youn", "Laâyoune", "la3youn"),
        ("الدار البيضاء", "Casablanca", "الدار البيضاء"),
        ("فكازا", "Casablanca", "كازا"),
        ("بالرباط", "Rabat", "الرباط"),
        ("ومن طنجة", "Tanger", "طنجة"),
        ("وبمراكش", "Marrakech", "مراكش"),
        ("delivery to Agadir", "Agadir", "Agadir"),
        ("quartier Maârif", "Maarif", "Maârif"),
        ("Guéliz", "Guéliz", "Guéliz"),
        ("j'habite à Salé", "Salé", "Salé"),
        ("ana f safi", "Safi", "safi"),
        ("فالجديدة", "El Jadida", "الجديدة"),
    ],
)
def test_a_city_is_read(text: str, value: str, written: str) -> None:
    assert found("city", text) == [(value, written)]


@pytest.mark.parametrize(
    "text", ["produit sale", "Sale service", "trop salé", "safi chokran", "الطلبية الجديدة", "العيون ديالي"]
)
def test_ordinary_words_are_no_cities(text: str) -> None:
    assert found("city", text) == []


def test_the_gazetteer_names_each_place_once_in_both_scripts() -> None:
    rows = read_rows("cities.tsv")
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names)) >= 250
    spellings = [fold(spelling).text for row in rows for spelling in row["spellings"].split("|")]
    assert all(spellings)
    for row in rows:
        scripts = {spelling[0] >= "\u0600" for spelling in row["spellings"].split("|")}
        assert len(scripts) == 2, row["name"]
    owners: dict[str, set[str]] = {}
    for row in rows:
        for spelling in row["spellings"].split("|"):
            owners.setdefault(fold(spelling).text, set()).add(row["name"])
    assert not {spelling: names for spelling, names in owners.items() if len(names) > 1}
