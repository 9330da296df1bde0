import pytest

from tests.nlu.entities.reading import all_found, found


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("à 15h30", "15:30", "15h30"),
        ("rdv 15:30 ?", "15:30", "15:30"),
        ("à 3 heures", "03:00", "3 heures"),
        ("vers 14h", "14:00", "14h"),
        ("8h du soir", "20:00", "8h du soir"),
        ("ce matin", "06:00/12:00", "ce matin"),
        ("cet après-midi", "12:00/18:00", "cet après-midi"),
        ("à midi", "12:00", "midi"),
        ("3pm", "15:00", "3pm"),
        ("12:30 am", "00:30", "12:30 am"),
        ("at 3", "15:00", "at 3"),
        ("tonight at 8", "20:00", "tonight at 8"),
        ("3 l3achia", "15:00", "3 l3achia"),
        ("nji m3a 3", "15:00", "m3a 3"),
        ("f 10 d sbah", "10:00", "10 d sbah"),
        ("3 w noss d l3achia", "15:30", "3 w noss d l3achia"),
        ("f l3chiya", "12:00/18:00", "l3chiya"),
        ("had sbah", "06:00/12:00", "had sbah"),
        ("daba", "17:03", "daba"),
        ("الساعة 3", "15:00", "الساعة 3"),
        ("على الساعة 10 صباحا", "10:00", "على الساعة 10 صباحا"),
        ("الساعة الثالثة", "15:00", "الساعة الثالثة"),
        ("مع 4 ديال العشية", "16:00", "مع 4 ديال العشية"),
        ("فالصباح", "06:00/12:00", "الصباح"),
        ("الآن", "17:03", "الآن"),
    ],
)
def test_a_time_is_read(text: str, value: str, written: str) -> None:
    assert found("time", text) == [(value, written)]


@pytest.mark.parametrize(
    "text",
    [
        "livraison en 24h ou 48h",
        "dans 2 heures",
        "depuis 1h30",
        "m3a 3 d nas",
        "il a 3 enfants",
        "25:10",
        "sbah lkhir",
        "صباح الخير",
    ],
)
def test_durations_and_greetings_are_no_times(text: str) -> None:
    assert found("time", text) == []


def test_a_date_and_its_time_are_two() -> None:
    assert all_found("ghda f sbah m3a 9") == [("date", "2026-11-21", "ghda"), ("time", "09:00", "sbah m3a 9")]
    assert all_found("lundi prochain à 10h30") == [("date", "2026-11-23", "lundi prochain"), ("time", "10:30", "10h30")]
