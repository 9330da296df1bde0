import pytest

from tests.nlu.entities.reading import found


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("prix 2500 dh ?", "2500.00 MAD", "2500 dh"),
        ("c'est 1 250,50 DH svp", "1250.50 MAD", "1 250,50 DH"),
        ("1.250.000 dirhams", "1250000.00 MAD", "1.250.000 dirhams"),
        ("1,200 MAD", "1200.00 MAD", "1,200 MAD"),
        ("DH 250", "250.00 MAD", "DH 250"),
        ("250dhs", "250.00 MAD", "250dhs"),
        ("5k dh", "5000.00 MAD", "5k dh"),
        ("شحال ٢٥٠ درهم", "250.00 MAD", "٢٥٠ درهم"),
        ("250 د.م.", "250.00 MAD", "250 د.م"),
        ("3tini 2000 ryal", "100.00 MAD", "2000 ryal"),
        ("500 ريال", "25.00 MAD", "500 ريال"),
        ("50 centimes", "0.50 MAD", "50 centimes"),
        ("مليون سنتيم", "10000.00 MAD", "مليون سنتيم"),
        ("3 alaf dh", "3000.00 MAD", "3 alaf dh"),
        ("10 آلاف درهم", "10000.00 MAD", "10 آلاف درهم"),
        ("2,5 millions de dirhams", "2500000.00 MAD", "2,5 millions de dirhams"),
        ("myat dh", "100.00 MAD", "myat dh"),
        ("miya w khamsin drahem", "150.00 MAD", "miya w khamsin drahem"),
        ("tlat miya dh", "300.00 MAD", "tlat miya dh"),
        ("ميتين وخمسين درهم", "250.00 MAD", "ميتين وخمسين درهم"),
        ("ألف وخمسمية درهم", "1500.00 MAD", "ألف وخمسمية درهم"),
        ("خمسة وعشرين درهم", "25.00 MAD", "خمسة وعشرين درهم"),
        ("deux mille cinq cents dh", "2500.00 MAD", "deux mille cinq cents dh"),
        ("quatre-vingt-dix dirhams", "90.00 MAD", "quatre-vingt-dix dirhams"),
        ("five hundred and fifty dirhams", "550.00 MAD", "five hundred and fifty dirhams"),
        ("99€", "99.00 EUR", "99€"),
        ("$20.5", "20.50 USD", "$20.5"),
        ("20 دولار", "20.00 USD", "20 دولار"),
    ],
)
def test_an_amount_is_read(text: str, value: str, written: str) -> None:
    assert found("amount", text) == [(value, written)]


def test_numbers_side_by_side_are_not_added() -> None:
    assert found("amount", "deux trois dirhams") == [("3.00 MAD", "trois dirhams")]
    assert found("amount", "250 dh 300 dh") == [("250.00 MAD", "250 dh"), ("300.00 MAD", "300 dh")]
