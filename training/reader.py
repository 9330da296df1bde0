"""Trains `model_repository/encoder`: the shared encoder, and over it what reads messages and what retrieval searches by.

    python -m training.reader              # held-out figures first, then the model on all sentences
    python -m training.reader --heads      # the same over the encoder of the last time

The encoder is distilled once, without the held-out sentences (see `distillation`). The heads are trained twice: on the
rest, which gives the figures and the calibration; then on everything.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

from servers.kit.text.features import FEATURES_VERSION
from training import embedding, tasks
from training.corpus import Example, read_examples, read_opinions, read_reviews
from training.distillation import distil
from training.embedding import LEXICAL, LEXICAL_WEIGHT, SEMANTIC, Embedding
from training.encoder import MEANING, SIZE, Encoder
from training.evaluate import print_nlu, print_retrieval
from training.lessons import read_lessons
from training.onnx_graph import Graph
from training.tasks import SPREAD, Tasks
from training.teacher import Teacher
from training.variants import in_other_script

FOLDER = Path(__file__).parents[1] / "model_repository" / "encoder"
ENCODER = Path(__file__).parents[1] / ".salambot" / "training" / "encoder.pt"
"""The last encoder that was distilled, to train heads on alone."""


def moods() -> list[Example]:
    """Sentences whose language and sentiment are known, and nothing else; Darija in the other script as well."""
    opinions = [
        Example(text, "", language, opinion.sentiment, "")
        for opinion in read_opinions()
        for language, text in opinion.texts.items()
    ]
    reviews = read_reviews()
    twins = [
        review._replace(text=twin[0], language=twin[1])
        for review in reviews
        if (twin := in_other_script(review.text, review.language))
    ]
    return [*opinions, *reviews, *twins]


def export(read: Tasks, search: Embedding, folder: Path = FOLDER) -> None:
    """Writes the model, its configuration and its labels."""
    graph = Graph()
    pooled, meaning = graph.encode(read.encoder)
    inputs = graph.add("Concat", pooled, graph.scaled(meaning, SPREAD), axis=1)
    for task, names in read.labels.items():
        logits = read.heads[task].write(graph, inputs)  # type: ignore[operator]
        graph.output(task, len(names), graph.add("Softmax", logits, axis=1))
    halves = (graph.scaled(half, 0.5**0.5) for half in (meaning, graph.unit(pooled)))
    graph.output("vector", MEANING + SIZE, graph.add("Concat", *halves, axis=1))
    hidden = graph.add("Relu", graph.linear(inputs, search.projection.inner))
    projected = graph.add(
        "Add", graph.linear(inputs, search.projection.direct), graph.linear(hidden, search.projection.outer)
    )
    semantic = graph.unit(projected)
    parts = (
        graph.scaled(semantic, (1 - LEXICAL_WEIGHT) ** 0.5),
        graph.scaled(_lexical(graph, search), LEXICAL_WEIGHT**0.5),
    )
    graph.output("embedding", SEMANTIC + LEXICAL, graph.unit(graph.add("Concat", *parts, axis=1)))
    file = graph.save(folder)
    version = f"{zlib.crc32(file.read_bytes()):08x}"
    content = {"version": version, "features_version": FEATURES_VERSION, **read.labels}
    (folder / "labels.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _lexical(graph: Graph, search: Embedding) -> str:
    """Signed weights of all features, scattered to their dimensions and added up."""
    ids = np.arange(len(search.weights))
    signed = (
        (search.weights * (1 - 2 * (ids // LEXICAL % 2)) * 127).round().astype(np.int8)
    )  # `unit` takes the scale away
    values = graph.add("Cast", graph.add("Gather", graph.constant(signed), "ids"), to=1)
    dimensions = graph.add("Cast", graph.add("Mod", "ids", graph.constant(np.int32(LEXICAL))), to=7)
    count = graph.add("Slice", graph.add("Shape", "ids"), graph.constant(np.int64([0])), graph.constant(np.int64([1])))
    shape = graph.add("Concat", count, graph.constant(np.int64([LEXICAL])), axis=0)
    zeros = graph.add("Expand", graph.constant(np.float32(0)), shape)
    return graph.unit(graph.add("ScatterElements", zeros, dimensions, values, axis=1, reduction="add"))


def encoder() -> Encoder:
    """Distils an encoder and keeps it."""
    distilled = distil(read_lessons(), Teacher())
    ENCODER.parent.mkdir(parents=True, exist_ok=True)
    torch.save(distilled, ENCODER)
    return distilled


def kept_encoder() -> Encoder:
    """The last encoder that was distilled, or a new one."""
    return torch.load(ENCODER, weights_only=False) if ENCODER.exists() else encoder()


def main(shared: Encoder | None = None) -> None:
    """Trains, over an encoder that is there or a new one, prints the held-out figures, trains on everything, exports."""
    torch.set_num_threads(2)
    shared = shared or encoder()
    examples = read_examples()
    labels = tasks.labels_of(examples)
    known, opinions = [example for example in examples if not example.held_out], moods()
    held_out = [example for example in examples if example.held_out]
    print(f"{len(examples)} sentences, {len(labels['intent'])} intents; {len(held_out)} sentences held out", flush=True)
    trial = tasks.train(shared, [*known, *(mood for mood in opinions if not mood.held_out)], labels)
    trial.calibrate(held_out)
    print_nlu(trial.probabilities([example.text for example in held_out]), held_out, labels)
    print_retrieval(embedding.train(shared, known).embed, known, held_out)
    final = tasks.train(shared, [*examples, *opinions], labels)
    for task, head in final.heads.items():
        head.temperature = trial.heads[task].temperature
    export(final, embedding.train(shared, examples))


if __name__ == "__main__":
    main(kept_encoder() if "--heads" in sys.argv else None)
