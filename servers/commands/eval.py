"""`salambot eval`: how well the models do on labelled files, beside named baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from servers.commands import process
from servers.commands.evaluation.report import Evaluation, table_of
from servers.commands.evaluation.samples import Problem, Task, labelled_for, read_samples, task_of
from servers.kit.errors import InvalidInput
from servers.kit.inference.encoder import MODEL
from servers.kit.settings import Settings
from servers.nlu.labels import read_labels

app = typer.Typer(help="Measure the models on labelled files.", no_args_is_help=True)

_FEWEST_INTENTS = 2
_WIDTH = 90  # of the table: also where there is no terminal


@app.command()
def nlu(
    files: Annotated[list[Path], typer.Argument(help="JSON lines with text, label and lang; .gz too.")],
    train: Annotated[
        list[Path] | None,
        typer.Option(help="Examples of a tenant's own intents, to train on; repeat it for more files."),
    ] = None,
    task: Annotated[
        Literal["auto", "language", "intent", "sentiment", "urgency"],
        typer.Option(help="What the labels are; auto looks at them."),
    ] = "auto",
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    baselines: Annotated[bool, typer.Option(help="Measure the peers that are installed on the same messages.")] = True,
) -> None:
    """Read labelled messages without a server, and print how well, by language.

    Without --train the built-in models answer; with it a tenant's own intents are trained first, as a tenant's are.
    """

    async def work(settings: Settings) -> None:
        evaluation = await _evaluate(settings.models, files, train or [], task, baselines)
        Console(highlight=False, width=max(_WIDTH, Console().width)).print(table_of(evaluation))
        if json is not None:
            json.write_bytes(orjson.dumps(evaluation, option=orjson.OPT_INDENT_2))

    process.run(work)


@app.command()
def rag(
    queries: Annotated[Path, typer.Option(help="JSON lines with text, the ids that answer in `relevant`, and lang.")],
    corpus: Annotated[Path, typer.Option(help="JSON lines with id, text, and where there are any title and lang.")],
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """Ask questions of a corpus without a server, and print how often what answers is found, beside BM25 and TF-IDF."""

    async def work(settings: Settings) -> None:
        from servers.commands.evaluation import rag as search  # loads the whole of retrieval
        from servers.commands.evaluation.rag_samples import read_corpus, read_queries

        texts = read_corpus(corpus)
        asked = read_queries(queries, texts)
        with _bars() as progress:
            systems = await search.measure(texts, asked, settings.models, progress)
        evaluation = search.RagEvaluation(str(queries), str(corpus), len(texts), systems)
        Console(highlight=False, width=max(_WIDTH, Console().width)).print(search.table_of(evaluation))
        if json is not None:
            json.write_bytes(orjson.dumps(evaluation, option=orjson.OPT_INDENT_2))

    process.run(work)


@contextmanager
def _bars() -> Iterator[Callable[[str, float], None]]:
    """A progress bar, and the function that moves it: who is at work, and the share that is done."""
    with Progress(console=process.console, transient=True) as bars:
        bar = bars.add_task("", total=1.0)
        yield lambda name, share: bars.update(bar, description=name, completed=share)


async def _evaluate(models: Path, files: list[Path], train: list[Path], word: str, baselines: bool) -> Evaluation:
    from servers.commands.evaluation.measure import measure_baselines, measure_product  # loads the whole reader

    labels = read_labels(models / MODEL / "labels.json")
    samples, examples = read_samples(files), read_samples(train) if train else []
    task = (Task.INTENT if train else task_of(samples)) if word == "auto" else Task(word)
    if train and task is not Task.INTENT:
        raise InvalidInput(f"--train teaches intents; the {task} of a message is read as it is")
    if train and len({example.label for example in examples}) < _FEWEST_INTENTS:
        raise InvalidInput(f"--train needs examples of at least {_FEWEST_INTENTS} intents")
    examples = labelled_for(task, examples, [example.label for example in examples])
    samples = labelled_for(task, samples, [example.label for example in examples] or labels.intents)
    problem = Problem(task, samples, examples)
    with _bars() as progress:
        systems = [await measure_product(problem, models, labels, progress)]
        if baselines:
            systems += await measure_baselines(problem, progress)
    return Evaluation(task, [str(file) for file in files], [str(file) for file in train], labels.version, systems)
