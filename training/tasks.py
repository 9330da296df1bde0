"""Heads over the encoder that read a message: what the customer wants, the mood, how urgent it is.

The encoder stays as it was distilled: what it knows of meaning is not narrowed down to our own intents, which tenants'
intents and retrieval would pay for. Every epoch shows the sentences in another guise, with features left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.corpus import SENTIMENTS, URGENCIES, Example, read_lexicon
from training.encoder import MEANING, SIZE, Bags, Encoder, Vectors
from training.phrasebook import Phrasebook
from training.variants import Variants

EPOCHS, BATCH, RATE = 24, 256, 1e-3
HIDDEN: Mapping[str, int] = {"intent": 512, "sentiment": 192, "urgency": 128}
WEIGHTS: Mapping[str, float] = {"intent": 1.0, "sentiment": 0.5, "urgency": 0.3}
KEPT_FEATURES, DROPOUT, SMOOTHING = 0.8, 0.3, 0.1
PHRASEBOOK_SENTENCES = 2000  # an epoch
SPREAD = 16.0  # length of a vector of meaning beside the pooled one, which has SIZE ** 0.5
_UNKNOWN = -100  # what cross entropy leaves out

Labels = Mapping[str, tuple[str, ...]]


class Head(nn.Module):
    """Probabilities of one task's labels; `temperature` divides the logits once trained."""

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.inner = nn.Linear(SIZE + MEANING, hidden)
        self.outer = nn.Linear(hidden, labels)
        self.temperature = 1.0

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits: (n, labels)."""
        hidden = functional.dropout(functional.relu(self.inner(inputs)), DROPOUT, self.training)
        logits: Tensor = self.outer(functional.dropout(hidden, DROPOUT, self.training)) / self.temperature
        return logits


@dataclass(frozen=True, slots=True)
class Tasks:
    """An encoder, a head for each task, and what the heads' outputs mean."""

    encoder: Encoder
    heads: nn.ModuleDict
    labels: Labels

    def probabilities(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Probabilities of each task: (len(texts), labels)."""
        return {task: functional.softmax(logits, 1).numpy() for task, logits in self._logits(texts).items()}

    def calibrate(self, examples: Sequence[Example]) -> None:
        """Sets the temperatures under which the labels of sentences the heads have not seen are most probable."""
        logits, targets = self._logits([example.text for example in examples]), targets_of(examples, self.labels)
        for task, values in logits.items():
            wanted = torch.from_numpy(targets[task])
            losses = {
                temperature: functional.cross_entropy(values / temperature, wanted).item()
                for temperature in np.arange(0.2, 3.0, 0.02).tolist()
            }
            self.heads[task].temperature *= min(losses, key=losses.__getitem__)  # type: ignore[operator]

    def _logits(self, texts: Sequence[str]) -> dict[str, Tensor]:
        self.heads.eval()
        with torch.no_grad():
            inputs = inputs_of(self.encoder.read(texts))
            return {task: head(inputs) for task, head in self.heads.items()}


def labels_of(examples: Sequence[Example]) -> Labels:
    """The labels of each task, in the order of the outputs."""
    intents = tuple(sorted({example.intent for example in examples} - {""}))
    return {"intent": intents, "sentiment": SENTIMENTS, "urgency": URGENCIES}


def inputs_of(vectors: Vectors) -> Tensor:
    """What the heads read: (n, SIZE + MEANING)."""
    return torch.cat((vectors.pooled, vectors.meaning * SPREAD), 1)


def train(encoder: Encoder, examples: Sequence[Example], labels: Labels, epochs: int = EPOCHS, seed: int = 1) -> Tasks:
    """Heads trained on the examples, of which any label may be empty."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants, phrasebook = Variants(seed, read_lexicon()), Phrasebook(seed)
    heads = nn.ModuleDict({task: Head(HIDDEN[task], len(names)) for task, names in labels.items()})
    optimiser = torch.optim.AdamW(heads.parameters(), lr=RATE, weight_decay=0.01)
    encoder.eval()
    for epoch in range(epochs):
        heads.train()
        bags, targets = _epoch(examples, variants, phrasebook, labels)
        batches = np.array_split(random.permutation(len(bags)), len(bags) // BATCH + 1)
        for step, batch in enumerate(batches):
            optimiser.param_groups[0]["lr"] = RATE * max(1 - (epoch + step / len(batches)) / epochs, 0.02)
            with torch.no_grad():
                inputs = inputs_of(encoder(*bags.draw(batch, KEPT_FEATURES, random)))
            loss = torch.stack(
                [WEIGHTS[task] * _loss(head(inputs), targets[task][batch]) for task, head in heads.items()]
            )
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
    heads.eval()
    return Tasks(encoder, heads, labels)


def targets_of(examples: Sequence[Example], labels: Labels) -> dict[str, NDArray[np.int64]]:
    """The place of each example's label among those of each task; -100 where it is not known."""
    return {
        task: np.array([names.index(label) if (label := getattr(example, task)) else _UNKNOWN for example in examples])
        for task, names in labels.items()
    }


def _epoch(
    examples: Sequence[Example], variants: Variants, phrasebook: Phrasebook, labels: Labels
) -> tuple[Bags, dict[str, NDArray[np.int64]]]:
    """Half of the sentences as they were written, all in another guise, and some of the phrasebook."""
    varied = [*examples, *phrasebook.sentences(PHRASEBOOK_SENTENCES)]
    shown = [*examples[::2], *(item._replace(text=variants.vary(item.text, item.language)[0]) for item in varied)]
    return Bags([example.text for example in shown]), targets_of(shown, labels)


def _loss(logits: Tensor, targets: NDArray[np.int64]) -> Tensor:
    loss = functional.cross_entropy(logits, torch.from_numpy(targets), label_smoothing=SMOOTHING)
    return torch.nan_to_num(loss)  # a batch may lack labels of a task altogether
