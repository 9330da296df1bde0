"""`salambot eval` as a person runs it: what it prints, what it writes, what it refuses, and that its figures are right."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score
from typer.testing import CliRunner, Result

from servers.cli import _app
from servers.commands import process
from servers.commands.evaluation.baselines import linear, py3langid
from servers.commands.evaluation.figures import ALL, Answers, calibration_error, figures_by_language
from servers.commands.evaluation.samples import Sample

Row = tuple[str, str, str]

LANGUAGES: list[Row] = [
    ("Bonjour, je voudrais savoir où est passée ma commande", "fr", ""),
    ("Could you please tell me where my parcel is?", "en", ""),
    ("أين يمكنني الاطلاع على فاتورتي من فضلكم؟", "ar", ""),
    ("salam 3afak bghit n3ref fin wslat lcommande dyali", "darija_arabizi", ""),
    ("عفاك بغيت نعرف فين وصلات الكوموند ديالي", "darija_arabic", ""),
]
EXAMPLES: list[Row] = [
    (f"{opening} {text}", label, "fr")
    for opening in ("Bonjour,", "Bonsoir,", "S'il vous plaît,", "Salut,")
    for label, text in (
        ("card_arrival", "ma carte bancaire n'est pas encore arrivée"),
        ("lost_card", "j'ai perdu ma carte, il faut la bloquer"),
        ("exchange_rate", "quel est le taux de change de l'euro aujourd'hui ?"),
        ("oos", "quelle est la recette du couscous aux sept légumes ?"),
    )
]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs `salambot eval nlu` with files of the test's folder."""
    monkeypatch.setenv("SALAMBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=200))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(_app(), ["eval", "nlu", *arguments])


def write(name: str, rows: Sequence[Row]) -> str:
    lines = b"\n".join(orjson.dumps({"text": text, "label": label, "lang": lang}) for text, label, lang in rows)
    Path(name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return name


def figures(file: str) -> dict[str, dict[str, dict[str, object]]]:
    """System → language → figures, of a JSON file."""
    systems = orjson.loads(Path(file).read_bytes())["systems"]
    return {system["name"]: system["by_language"] for system in systems}


def test_languages_by_row_in_a_table_and_as_json(evaluate: Callable[..., Result]) -> None:
    file = write("languages.jsonl.gz", [*LANGUAGES, ("Guten Morgen, wo ist mein Paket geblieben?", "de", "")])
    result = evaluate(file, "--no-baselines", "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    assert "language: 6 messages" in result.stdout
    for language in ("darija_arabizi", "darija_arabic", "de", ALL):
        assert f"  {language} " in result.stdout
    ours = figures("figures.json")["SalamBot"]
    assert all(ours[language]["accuracy"] == 1 for _, language, _ in LANGUAGES)
    assert ours["de"]["accuracy"] is None
    assert ours["de"]["outside_recall"] in {0, 1}
    assert ours[ALL]["messages"] == 6
    written = orjson.loads(Path("figures.json").read_bytes())
    assert (written["task"], written["files"]) == ("language", [file])
    assert written["model_version"]


def test_the_intents_of_a_tenant_are_trained_as_they_are_served(evaluate: Callable[..., Result]) -> None:
    train = write("train.jsonl", EXAMPLES)
    asked = [
        ("ma carte bancaire n'est toujours pas arrivée", "card_arrival", "fr"),
        ("quel est le taux de change de l'euro ?", "exchange_rate", "fr"),
        ("la recette du couscous aux légumes", "out_of_scope", "fr"),
    ]
    result = evaluate(write("test.jsonl", asked), "--train", train, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    systems = figures("figures.json")
    assert list(systems) == ["SalamBot", "scikit-learn"]
    for system in systems.values():
        assert (system["fr"]["accuracy"], system["fr"]["outside_recall"]) == (1, 1)
    assert "trained on 16 examples" in result.stdout


def test_two_moods_leave_no_neutral_answer(evaluate: Callable[..., Result]) -> None:
    moods = [("merci bzaf khdma top", "positive"), ("khdma 3yana, hchouma", "negative"), ("la livraison", "negative")]
    result = evaluate(write("moods.jsonl", [(*row, "") for row in moods]), "--json", "two.json")
    assert result.exit_code == 0, result.stderr
    two = figures("two.json")
    assert set(two["SalamBot"][ALL]["answers"]) <= {"positive", "negative"}
    assert two["majority"][ALL]["accuracy"] == pytest.approx(2 / 3)
    evaluate(
        write("moods.jsonl", [*((*row, "") for row in moods), ("ma commande", "neutral", "")]), "--json", "three.json"
    )
    assert "neutral" in figures("three.json")["SalamBot"][ALL]["answers"]


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "No such file"),
        (b"", [], "there is no message in bad.jsonl"),
        (b'{"text": "salam", "label": "fr"}\n{"text"', [], "bad.jsonl:2: not JSON"),
        (b"[1]", [], "bad.jsonl:1: not a JSON object"),
        (b'\n\n{"label": "fr"}', [], "bad.jsonl:3: `text` must be"),
        (b'{"text": "salam", "label": 3}', [], "bad.jsonl:1: `label` must be"),
        (b'{"text": "salam", "label": "card_arrival"}', [], "`card_arrival` is no intent that can be answered; give"),
        (
            b'{"text": "salam", "label": "fr"}',
            ["--task", "urgency"],
            "`fr` is no urgency that can be answered: there are",
        ),
        (b'{"text": "salam", "label": "exchange"}', ["--train", "train.jsonl"], "`exchange` is no intent"),
        (b'{"text": "x", "label": "fr"}', ["--task", "language", "--train", "train.jsonl"], "--train teaches intents"),
        (b'{"text": "x", "label": "a"}', ["--train", "bad.jsonl"], "examples of at least 2 intents"),
    ],
)
def test_what_is_refused_and_where(
    evaluate: Callable[..., Result], content: bytes | None, arguments: list[str], said: str
) -> None:
    write("train.jsonl", EXAMPLES)
    if content is not None:
        Path("bad.jsonl").write_bytes(content)
    result = evaluate("bad.jsonl", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd"), st.floats(0, 1)), min_size=1))
def test_figures_are_those_of_scikit_learn(rows: list[tuple[str, str, float]]) -> None:
    truth, said, confidence = (list(column) for column in zip(*rows, strict=True))
    samples = [Sample("text", label, "fr", "here:1") for label in truth]
    found = figures_by_language(samples, Answers(said, confidence))["fr"]
    assert found.accuracy == pytest.approx(accuracy_score(truth, said))
    assert found.macro_f1 == pytest.approx(f1_score(truth, said, labels=sorted(set(truth)), average="macro"))
    assert 0 <= found.calibration_error <= 1
    assert found.outside_recall is None


def test_calibration_error_is_how_far_confidence_is_from_being_right() -> None:
    right = np.array([True, True, False, False])
    assert calibration_error(np.full(4, 0.5), right) == pytest.approx(0)
    assert calibration_error(np.full(4, 0.9), right) == pytest.approx(0.4)
    assert calibration_error(np.array([1.0, 1.0, 0.0, 0.0]), right) == pytest.approx(0)


def test_the_peers_follow_their_rules() -> None:
    answer = py3langid()
    assert answer(["Je voudrais annuler ma commande s'il vous plaît"]) == ["fr"]
    assert answer(["Wo ist denn bitte mein Paket geblieben?"]) == ["darija_arabizi"]
    assert answer(["سلام، حال شما چطور است؟ می‌خواهم سفارشم را پیگیری کنم"]) == ["darija_arabic"]
    texts, labels, _ = zip(*EXAMPLES, strict=True)
    assert linear(texts, labels)(["j'ai perdu ma carte"]) == ["lost_card"]
