"""Web pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.html import read_html


def read(body: str, head: str = "") -> Extracted:
    return read_html("page", f"<html><head>{head}</head><body>{body}</body></html>".encode())


def texts(body: str) -> list[tuple[str, str, str]]:
    return [tuple(part) for part in read(body).parts]


def test_headings_keep_the_places_their_page_gives_them() -> None:
    body = """<h1>Aide</h1><p>Bienvenue <b>chez</b> nous.<br>À bientôt</p><h2 id="voir-facture">Voir ma <em>facture</em></h2><p>Ici.</p>
        <h3><a name="payer"></a>Où payer&nbsp;?</h3><p>Là.</p><h3 id="pas une place">أين أدفع؟</h3>هنا"""
    assert texts(body) == [
        ("#aide", "Aide", "Bienvenue chez nous.\nÀ bientôt"),
        ("#voir-facture", "Voir ma facture", "Ici."),
        ("#payer", "Où payer ?", "Là."),
        ("#اين-ادفع", "أين أدفع؟", "هنا"),
    ]


def test_what_stands_around_the_content_is_left_out() -> None:
    found = read(
        "<header><nav>Accueil Boutique</nav></header><div class='cookie-banner'>Nous utilisons des cookies</div>"
        "<main><h1>Retours</h1><p>Sous 14 jours, sans frais.</p><div class='share'>Partager</div><script>var a</script></main>"
        "<aside>Nos promotions</aside><footer>© Atlas</footer>",
        "<title>Retours | Atlas</title>",
    )
    assert found.title == "Retours"
    assert [tuple(part) for part in found.parts] == [("#retours", "Retours", "Sous 14 jours, sans frais.")]


def test_names_of_classes_do_not_hide_the_page() -> None:
    assert texts("<div class='has-sidebar navigation-open'><p>Le texte</p></div><main></main>") == [
        ("#", "", "Le texte")
    ]


def test_lists_keep_their_items_and_levels() -> None:
    assert texts("<ul><li>un<ul><li>sous</li></ul></li><li><p>deux</p></li></ul><ol><li>a</li><li>b</li></ol>") == [
        ("#", "", "- un\n  - sous\n- deux\n\n1. a\n2. b")
    ]


def test_tables_say_what_each_cell_is() -> None:
    named = """<table><tr><th>Ville</th><th>Horaires</th><th>Tél</th></tr>
        <tr><td rowspan="2">Rabat</td><td>9h<br>18h</td><td>05</td></tr><tr><td colspan="2">fermé</td></tr></table>"""
    assert texts(named)[0][2] == (
        "- Ville: Rabat; Horaires: 9h 18h; Tél: 05\n- Ville: Rabat; Horaires: fermé; Tél: fermé"
    )
    pairs = "<table><tr><td>Frais</td><td>10 DH</td></tr><tr><td>Délai</td><td>48h</td></tr></table>"
    assert texts(pairs)[0][2] == "- Frais: 10 DH\n- Délai: 48h"
    layout = "<table><tr><td><h2>Titre</h2><p>Texte</p></td></tr></table>"
    assert texts(layout) == [("#titre", "Titre", "Texte")]


@pytest.mark.parametrize(
    "body",
    [
        "<details><summary>Où payer ?</summary><p>En agence.</p></details>",
        "<p><strong>Où payer ?</strong></p><p>En agence.</p>",
        "<dl><dt>Où payer ?</dt><dd>En agence.</dd></dl>",
        "<h3><button aria-expanded='false'>Où payer ?</button></h3><div style='display:none'>En agence.</div>",
        "<ul><li><h4>Où payer ?</h4><p>En agence.</p></li></ul>",
    ],
)
def test_questions_are_the_titles_of_their_answers_however_a_page_folds_them(body: str) -> None:
    assert texts(body) == [("#ou-payer", "Où payer ?", "En agence.")]


def test_terms_stand_before_what_explains_them() -> None:
    assert texts("<dl><dt>Adresse</dt><dd>12, rue</dd></dl>")[0][2] == "Adresse: 12, rue"


@pytest.mark.parametrize(
    ("charset", "said"), [("utf-8", ""), ("windows-1256", "windows-1256"), ("cp1256", "meta"), ("utf-16", "")]
)
def test_the_encoding_is_the_one_the_page_or_its_server_says(charset: str, said: str) -> None:
    meta = f"<meta charset='{charset}'>" if said == "meta" else ""
    data = f"<html><head>{meta}</head><body><p>التوصيل مجاني، بسرعة</p></body></html>".encode(charset)
    assert read_html("a", data, said if said != "meta" else "").parts[0].text == "التوصيل مجاني، بسرعة"


@given(st.lists(st.sampled_from(["<p>", "</p>", "<ul>", "</ul>", "<li>", "<b>", "</b>", "<table>", "<tr>", "<td>", "<h2>", "</h2>",
                                 "<dl>", "<dt>", "<dd>", "<pre>", "<br>", "<details>", "<summary>", "mot ", "؟", "<", "&", "\0"]), max_size=40))  # fmt: skip
def test_no_word_is_lost_or_doubled_whatever_the_markup(pieces: list[str]) -> None:
    numbered = [f"mot{index} " if piece == "mot " else piece for index, piece in enumerate(pieces)]
    found = " ".join(f"{part.title} {part.text}" for part in read("".join(numbered) + "<p>fin").parts)
    headings = sum(piece in {"<h2>", "<summary>", "<dt>", "<b>"} for piece in pieces)
    for word in (piece.strip() for piece in numbered if piece.startswith("mot")):
        assert f"{found} ".count(f"{word}") in ({1} if not headings else {0, 1}) or word[:-1] in found


@pytest.mark.timeout(90)  # quadratic time would be hours
@pytest.mark.parametrize(
    "body",
    [
        "<b>" * 1000 + "fin", "<p>" + "mot " * 10**6, "<div class='" + "nav " * 200_000 + "'>fin", "<" * 10**6, "&amp;" * 200_000,
        "<div class=sidebar>x" * 1000, "<table><tr>" + "<td colspan=1000 rowspan=9999>x" * 300, "<meta " * 10**5,
        "<ul><li>" * 500 + "fin", "<table>" + "<tr><td>a<td>b" * 20_000,
    ],
)  # fmt: skip
def test_odd_pages_are_read_in_linear_time(body: str) -> None:
    read(body)


def test_pages_nested_beyond_reason_are_an_error_or_a_warning() -> None:
    with pytest.raises(InvalidInput, match="deep"):
        read("<div>" * 100_000 + "fin")
    found = read("<p>Le début.</p>" + "<div>" * 100_000 + "fin")
    assert found.parts[0].text == "Le début."
    assert "deep" in found.warnings[0]


@pytest.mark.parametrize("page", ["<!-- -->", "<html></html>", "<p>", "<script>a</script>"])
def test_pages_without_text_have_no_parts(page: str) -> None:
    assert read_html("a", page.encode()).parts == ()
