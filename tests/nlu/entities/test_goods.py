import pytest

from tests.nlu.entities.reading import found


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("taille 42", "42", "42"),
        ("Taille : 38", "38", "38"),
        ("size xl please", "XL", "xl"),
        ("bghit XXL", "XXL", "XXL"),
        ("pointure 40", "40", "40"),
        ("l9yas 42", "42", "42"),
        ("taille d M", "M", "M"),
        ("en 2XL", "XXL", "2XL"),
        ("مقاس 38", "38", "38"),
        ("القياس ٤٠", "40", "٤٠"),
        ("size medium", "M", "medium"),
    ],
)
def test_a_size_is_read(text: str, value: str, written: str) -> None:
    assert found("size", text) == [(value, written)]


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("2 pièces", "2", "2 pièces"),
        ("1,5 kilos de dattes", "1.5 kg", "1,5 kilos"),
        ("deux paquets", "2 pack", "deux paquets"),
        ("je voudrais 3 articles", "3", "3 articles"),
        ("500g", "500 g", "500g"),
        ("forfait 5 Go", "5 GB", "5 Go"),
        ("10 giga", "10 GB", "10 giga"),
        ("20GB", "20 GB", "20GB"),
        ("I want 3 of these", "3", "3"),
        ("two boxes", "2 box", "two boxes"),
        ("jouj d les t-shirts", "2", "jouj"),
        ("2 dyal tabliyat", "2", "2"),
        ("bghit tlata", "3", "tlata"),
        ("5 كيلو ديال السكر", "5 kg", "5 كيلو"),
        ("3 حبات", "3", "3 حبات"),
        ("جوج", "2", "جوج"),
        ("بغيت خمسة", "5", "خمسة"),
        ("ثلاث قطع", "3", "ثلاث قطع"),
    ],
)
def test_a_quantity_is_read(text: str, value: str, written: str) -> None:
    assert found("quantity", text) == [(value, written)]


@pytest.mark.parametrize(
    "text", ["4G", "un routeur 5 G", "jouj mrat", "deux fois", "bghit wa7ed", "12", "2 jours", "10 % de remise"]
)
def test_networks_times_and_articles_are_no_quantities(text: str) -> None:
    assert found("quantity", text) == []
