"""`salambot eval rag` as a person runs it, and that its figures are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console
from sklearn.metrics import ndcg_score
from typer.testing import CliRunner, Result

from servers.cli import _app
from servers.commands import process
from servers.commands.evaluation.rag import ALL, figures
from servers.commands.evaluation.rag_baselines import bm25, char_tfidf
from servers.commands.evaluation.rag_knowledge import Text
from servers.commands.evaluation.rag_samples import Query

CORPUS = [
    {"id": 1, "title": "Voir ma facture", "text": "Ouvrez l'application puis Mes factures.", "lang": "fr"},
    {"id": "lost", "text": "أوقفوا البطاقة الضائعة من التطبيق"},
    {"id": "hours", "title": "Opening hours", "text": "The branch is open from nine to six."},
]
QUERIES = [
    {"text": "fin nshouf lfactura ?", "id": "1", "lang": "darija_arabizi"},
    {"query": "ضاعت ليا لاكارط", "ids": ["lost"], "lang": "darija_arabic"},
    {"text": "when is the branch open", "relevant": ["hours", "lost"], "lang": "en"},
]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs `salambot eval rag` on questions and a corpus."""
    monkeypatch.setenv("SALAMBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=200))
    monkeypatch.chdir(tmp_path)

    def run(queries: list[Any], corpus: list[Any], *arguments: str) -> Result:
        for name, rows in (("q.jsonl", queries), ("c.jsonl", corpus)):
            Path(name).write_bytes(b"\n".join(row if isinstance(row, bytes) else orjson.dumps(row) for row in rows))
        return CliRunner().invoke(_app(), ["eval", "rag", "--queries", "q.jsonl", "--corpus", "c.jsonl", *arguments])

    return run


def test_all_systems_by_language_in_a_table_and_as_json(evaluate: Callable[..., Result]) -> None:
    result = evaluate(QUERIES, CORPUS, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    written = orjson.loads(Path("figures.json").read_bytes())
    assert [system["name"] for system in written["systems"]] == ["SalamBot", "BM25", "char TF-IDF"]
    assert written["passages"] == 3
    ours, words = (system["by_language"] for system in written["systems"][:2])
    assert list(ours) == ["darija_arabic", "darija_arabizi", "en", ALL]
    assert ours[ALL]["questions"] == 3
    assert ours[ALL]["recall_at_1"] == 1
    assert words["darija_arabizi"]["recall_at_10"] == 0, "no word of the question stands in the passage"
    assert "retrieval: 3 questions, 3 passages" in result.stdout


@pytest.mark.parametrize(
    ("queries", "corpus", "said"),
    [
        ([], CORPUS, "there is no question in q.jsonl"),
        (QUERIES, [], "there is no passage in c.jsonl"),
        ([b"{"], CORPUS, "q.jsonl:1: not JSON"),
        (QUERIES, [b"[1]"], "c.jsonl:1: not a JSON object"),
        ([{"text": " ", "id": 1}], CORPUS, "q.jsonl:1: `text` must be"),
        ([{"text": "x", "id": "other"}], CORPUS, "q.jsonl:1: there is no passage other"),
        ([{"text": "x", "ids": []}], CORPUS, "q.jsonl:1: no passage answers"),
        ([{"text": "x"}], CORPUS, "q.jsonl:1: an id must be"),
        (QUERIES, [*CORPUS, CORPUS[0]], "c.jsonl:4: there is another passage 1"),
    ],
)
def test_what_is_refused_and_where(
    evaluate: Callable[..., Result], queries: list[Any], corpus: list[Any], said: str
) -> None:
    result = evaluate(queries, corpus)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_figures_are_those_of_the_books() -> None:
    queries = [Query("a", "fr", frozenset("x")), Query("b", "fr", frozenset("yz")), Query("c", "", frozenset("w"))]
    found = figures(queries, [["x", "y"], ["x", "y", "z"], ["x"]])
    assert list(found) == ["fr", ALL]
    assert found[ALL].recall_at_1 == pytest.approx(1 / 3)
    assert found["fr"].recall_at_5 == 1
    assert found["fr"].mrr_at_10 == pytest.approx((1 + 1 / 2) / 2)
    expected = (1 + ndcg_score([[0, 1, 1]], [[3, 2, 1]])) / 2
    assert found["fr"].ndcg_at_10 == pytest.approx(expected)


def test_the_baselines_find_what_has_the_words() -> None:
    corpus = [Text("a", "", "la facture du mois", "fr"), Text("b", "", "la livraison du colis", "fr")]
    for index in (bm25, char_tfidf):
        search = index(corpus)
        assert search("ma facture").argmax() == 0
        assert search("colis livraison").argmax() == 1
        assert not search("zzz").any()
