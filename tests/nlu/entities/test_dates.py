from datetime import datetime

import pytest

from servers.kit.text.personal_data import find
from servers.nlu.entities import find_entities
from servers.nlu.entities.finder import TIME_ZONE
from tests.nlu.entities.reading import found

THIS_WEEK, NEXT_WEEK, LAST_WEEK = "2026-11-16/2026-11-22", "2026-11-23/2026-11-29", "2026-11-09/2026-11-15"


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        # written out
        ("livré le 12/03/2025 ?", "2025-03-12", "12/03/2025"),
        ("2025-03-12", "2025-03-12", "2025-03-12"),
        ("12.3.25 svp", "2025-03-12", "12.3.25"),
        ("١٢/٠٣/٢٠٢٥", "2025-03-12", "١٢/٠٣/٢٠٢٥"),
        ("rdv le 12/05", "2027-05-12", "12/05"),
        ("le 12-3", "2027-03-12", "12-3"),
        ("colis du 12 mars", "2027-03-12", "12 mars"),
        ("le 1er mai 2027", "2027-05-01", "1er mai 2027"),
        ("on March 12th", "2027-03-12", "March 12th"),
        ("May 3rd, 2027", "2027-05-03", "May 3rd, 2027"),
        ("12 dyal mars", "2027-03-12", "12 dyal mars"),
        ("12 ديال مارس", "2027-03-12", "12 ديال مارس"),
        ("يوم 15 يناير", "2027-01-15", "15 يناير"),
        ("nhar 12", "2026-11-12", "nhar 12"),
        ("facture de mars 2025", "2025-03-01/2025-03-31", "mars 2025"),
        ("شهر مارس", "2027-03-01/2027-03-31", "شهر مارس"),
        # days
        ("ghda nji", "2026-11-21", "ghda"),
        ("GHDAAA nji", "2026-11-21", "GHDAAA"),
        ("lbare7 ma jitch", "2026-11-19", "lbare7"),
        ("l'lyoum", "2026-11-20", "lyoum"),
        ("ba3d ghda", "2026-11-22", "ba3d ghda"),
        ("wel bareh", "2026-11-18", "wel bareh"),
        ("غَدًا إن شاء الله", "2026-11-21", "غَدًا"),
        ("البارح", "2026-11-19", "البارح"),
        ("بعد غدا", "2026-11-22", "بعد غدا"),
        ("أمس", "2026-11-19", "أمس"),
        ("après-demain", "2026-11-22", "après-demain"),
        ("avant-hier", "2026-11-18", "avant-hier"),
        ("c'est pour aujourd’hui", "2026-11-20", "aujourd’hui"),
        ("the day after tomorrow", "2026-11-22", "the day after tomorrow"),
        # distances
        ("dans 3 jours", "2026-11-23", "dans 3 jours"),
        ("il y a deux jours", "2026-11-18", "il y a deux jours"),
        ("in a week", "2026-11-27", "in a week"),
        ("3 days ago", "2026-11-17", "3 days ago"),
        ("hadi 3 iyam", "2026-11-17", "hadi 3 iyam"),
        ("mn daba simana", "2026-11-27", "mn daba simana"),
        ("men daba 3 iyam", "2026-11-23", "men daba 3 iyam"),
        ("من بعد 3 أيام", "2026-11-23", "من بعد 3 أيام"),
        ("قبل يومين", "2026-11-18", "قبل يومين"),
        ("منذ شهرين", "2026-09-20", "منذ شهرين"),
        # periods
        ("had simana", THIS_WEEK, "had simana"),
        ("simana li jaya", NEXT_WEEK, "simana li jaya"),
        ("simana li fatet", LAST_WEEK, "simana li fatet"),
        ("السيمانة الجاية", NEXT_WEEK, "السيمانة الجاية"),
        ("الأسبوع الماضي", LAST_WEEK, "الأسبوع الماضي"),
        ("la semaine prochaine", NEXT_WEEK, "semaine prochaine"),
        ("next week", NEXT_WEEK, "next week"),
        ("had chhar", "2026-11-01/2026-11-30", "had chhar"),
        ("l3am jay", "2027-01-01/2027-12-31", "l3am jay"),
        ("ce week-end", "2026-11-21/2026-11-22", "ce week-end"),
        # weekdays
        ("l7ed jay", "2026-11-22", "l7ed jay"),
        ("nhar l7ed", "2026-11-22", "nhar l7ed"),
        ("الأحد الجاي", "2026-11-22", "الأحد الجاي"),
        ("dimanche prochain", "2026-11-22", "dimanche prochain"),
        ("next Sunday", "2026-11-22", "next Sunday"),
        ("lundi dernier", "2026-11-16", "lundi dernier"),
        ("j'attends depuis lundi", "2026-11-16", "depuis lundi"),
        ("le jeudi 26 novembre", "2026-11-26", "jeudi 26 novembre"),
        ("larb3", "2026-11-25", "larb3"),
        ("jem3a", "2026-11-27", "jem3a"),
        ("فالخميس", "2026-11-26", "الخميس"),
    ],
)
def test_a_date_is_read(text: str, value: str, written: str) -> None:
    assert found("date", text) == [(value, written)]


@pytest.mark.parametrize(
    "text",
    ["12", "12 1/2", "24/7", "31/02/2025", "40 mars", "2-3 jours", "192.168.1.1", "version 2.5.1", "pendant 3 jours"],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert found("date", text) == []


@pytest.mark.parametrize(
    ("now", "text", "value"),
    [
        ((2024, 2, 29), "dans un an", "2025-02-28"),
        ((2026, 12, 31), "ghda", "2027-01-01"),
        ((2026, 1, 31), "dans 1 mois", "2026-02-28"),
        ((2027, 1, 2), "le 28 décembre", "2026-12-28"),
        ((2026, 12, 30), "le 2 janvier", "2027-01-02"),
        ((2026, 1, 3), "nhar 30", "2025-12-30"),
    ],
)
def test_dates_cross_the_ends_of_months_and_years(now: tuple[int, int, int], text: str, value: str) -> None:
    (entity,) = find_entities(text, find(text), datetime(*now, 12, tzinfo=TIME_ZONE))
    assert entity.value == value


def test_midnight_is_the_customers() -> None:
    evening_in_utc = datetime.fromisoformat("2026-11-20T23:30:00+00:00")
    (entity,) = find_entities("lyoum", [], evening_in_utc)
    assert entity.value == evening_in_utc.astimezone(TIME_ZONE).date().isoformat()
