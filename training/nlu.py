"""Trains `model_repository/nlu`: intent, sentiment and urgency from one encoder, language from a small bag of its own.

The encoder learns to see through languages, which is why the language is read elsewhere.

    python -m training.nlu                 # held-out figures first, then the model on all sentences

Each epoch shows every sentence once as it was written and once in another guise, with sentences of the phrasebook; and
draws phrases of one meaning together across languages. Intent probabilities are calibrated on the held-out sentences
by a temperature.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import FEATURES_VERSION, encode
from training.corpus import (
    LANGUAGES,
    SENTIMENTS,
    URGENCIES,
    Example,
    read_examples,
    read_languages,
    read_lexicon,
    read_reviews,
)
from training.encoder import Bag, Encoder, bags, inverse_document_frequency
from training.onnx_graph import Graph, write_config
from training.pairs import Pairs, agreement
from training.phrasebook import Phrasebook
from training.variants import Variants

FOLDER = Path(__file__).parents[1] / "model_repository" / "nlu"
SIZE, HIDDEN, LANGUAGE_SIZE = 64, 128, 8
EPOCHS, BATCH, RATE = 15, 256, 3e-3
KEPT_FEATURES, DROPOUT, SMOOTHING = 0.7, 0.3, 0.1
PHRASEBOOK_SENTENCES = 3000  # an epoch
TASK_WEIGHTS = {"language": 1.0, "intent": 1.0, "sentiment": 0.3, "urgency": 0.3}
PAIR_WEIGHT = 0.5
_UNKNOWN = -100  # what cross entropy leaves out
_FIELDS = {"language": 2, "intent": 1, "sentiment": 3, "urgency": 4}  # position in Example


@dataclass(slots=True)
class Model:
    """An encoder and a bag for the language, with a head for each task; `temperature` divides the intent logits."""

    encoder: Encoder
    language: Bag
    heads: nn.ModuleDict
    labels: dict[str, tuple[str, ...]]
    temperature: float = field(default=1.0)

    def logits(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Logits of each task, (len(texts), labels)."""
        self.encoder.eval()
        with torch.no_grad():
            return self.forward(*bags(encode(texts)))

    def forward(self, ids: Tensor, offsets: Tensor, dropout: float = 0.0) -> dict[str, Tensor]:
        """Logits of each task for bags of features."""
        vectors = self.encoder(ids, offsets, dropout)
        own = {"language": self.language(ids, offsets)}
        return {task: head(own.get(task, vectors)) for task, head in self.heads.items()}

    def probabilities(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Probabilities of each task, those of the intents calibrated."""
        logits = self.logits(texts)
        logits["intent"] = logits["intent"] / self.temperature
        return {task: functional.softmax(values, 1).numpy() for task, values in logits.items()}


def labels_of(examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    """The labels of each task, in the order of the outputs."""
    intents = tuple(sorted({example.intent for example in examples} - {""}))
    return {"language": LANGUAGES, "intent": intents, "sentiment": SENTIMENTS, "urgency": URGENCIES}


def train(
    examples: Sequence[Example], labels: dict[str, tuple[str, ...]], epochs: int = EPOCHS, seed: int = 1
) -> Model:
    """Trains on the examples."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants = Variants(seed, read_lexicon())
    phrasebook, pairs = Phrasebook(seed), Pairs(seed)
    seen = inverse_document_frequency(_epoch(examples, variants, phrasebook, labels)[0])
    sizes = {task: LANGUAGE_SIZE if task == "language" else SIZE for task in labels}
    heads = nn.ModuleDict({task: nn.Linear(sizes[task], len(names)) for task, names in labels.items()})
    model = Model(Encoder(SIZE, HIDDEN, seen), Bag(LANGUAGE_SIZE, seen), heads, labels)
    encoder = model.encoder
    parameters = [*encoder.parameters(), *model.language.parameters(), *heads.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=RATE, fused=True)
    encoder.train()
    for epoch in range(epochs):
        ids, targets = _epoch(examples, variants, phrasebook, labels)
        batches = np.array_split(random.permutation(len(ids)), len(ids) // BATCH + 1)
        for step, batch in enumerate(batches):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - (epoch + step / len(batches)) / epochs)
            logits = model.forward(*bags(ids[batch], KEPT_FEATURES, random), DROPOUT)
            losses = [weight * _loss(logits[task], targets[task][batch], task) for task, weight in TASK_WEIGHTS.items()]
            left, right = pairs.draw(BATCH, variants)
            both = functional.normalize(encoder(*bags(encode([*left, *right]), KEPT_FEATURES, random), DROPOUT))
            losses.append(PAIR_WEIGHT * agreement(*both.split(len(left))))
            loss = torch.stack(losses).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"  epoch {epoch + 1}/{epochs}, loss {loss.item():.3f}", flush=True)
    return model


def _epoch(
    examples: Sequence[Example], variants: Variants, phrasebook: Phrasebook, labels: dict[str, tuple[str, ...]]
) -> tuple[NDArray[np.int32], dict[str, NDArray[np.int64]]]:
    """Features of one epoch's sentences, and their labels; -100 where a label is not to be learnt."""
    shown = list(examples)
    varied = [*examples, *phrasebook.sentences(PHRASEBOOK_SENTENCES)]
    for example in varied:
        text, language = variants.vary(example.text, example.language)
        shown.append(example._replace(text=text, language=language))
    targets = {
        task: np.array([labels[task].index(example[at]) if example[at] else _UNKNOWN for example in shown])
        for task, at in _FIELDS.items()
    }
    return encode([example.text for example in shown]), targets


def _loss(logits: Tensor, targets: NDArray[np.int64], task: str) -> Tensor:
    smoothing = SMOOTHING if task == "intent" else 0.0
    loss = functional.cross_entropy(logits, torch.from_numpy(targets), label_smoothing=smoothing)
    return torch.nan_to_num(loss)  # a batch of nothing but the phrasebook has no sentiment


def calibrate(model: Model, examples: Sequence[Example]) -> float:
    """The temperature under which the intents of sentences the model has not seen are most probable."""
    logits = model.logits([example.text for example in examples])["intent"]
    targets = torch.tensor([model.labels["intent"].index(example.intent) for example in examples])
    grid = np.arange(0.2, 3.0, 0.02)
    losses = [functional.cross_entropy(logits / float(temperature), targets).item() for temperature in grid]
    return float(grid[int(np.argmin(losses))])


def export(model: Model, folder: Path = FOLDER) -> None:
    """Writes the model, its configuration and its labels."""
    graph = Graph()
    vectors = graph.encode(model.encoder)
    own = {"language": graph.pool(model.language)}
    for task, names in model.labels.items():
        scale = 1 / model.temperature if task == "intent" else 1.0
        graph.add("Softmax", graph.linear(own.get(task, vectors), model.heads[task], scale=scale), name=task, axis=1)
        graph.output(task, len(names))
    file = graph.save(folder)
    write_config(folder, {task: len(names) for task, names in model.labels.items()})
    version = f"{zlib.crc32(file.read_bytes()):08x}"
    content = {"version": version, "features_version": FEATURES_VERSION, **model.labels}
    (folder / "labels.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def main() -> None:
    """Trains, prints the held-out figures, trains on everything, exports."""
    from training.evaluate import print_nlu

    torch.set_num_threads(2)
    examples = read_examples()
    labels = labels_of(examples)
    everything = [*examples, *read_languages(), *read_reviews()]
    held_out = [example for example in examples if example.held_out]
    print(f"{len(examples)} sentences, {len(labels['intent'])} intents; {len(held_out)} sentences held out", flush=True)
    known = [example for example in everything if not example.held_out]
    trial = train(known, labels)
    trial.temperature = calibrate(trial, held_out)
    print_nlu(trial.probabilities([example.text for example in held_out]), held_out, labels)
    model = train(everything, labels)
    model.temperature = trial.temperature
    export(model)


if __name__ == "__main__":
    main()
