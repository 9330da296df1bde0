"""Heads over the encoder that read a message: what the customer wants, the mood, how urgent it is.

The encoder stays as it was distilled: what it knows of meaning is not narrowed down to our own intents, which tenants'
intents and retrieval would pay for. Each head is trained by itself, on the sentences whose label of its task is known: what
is written for one never moves another. Every epoch shows the sentences in another guise, with features left out.

The head of the mood is wide as well as deep, for the slang of praise and blame that the encoder was never taught. That of
urgency has three networks, because the least is written for it. That of intents learns what no one wants, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.corpus import SENTIMENTS, URGENCIES, Example
from training.encoder import Bags, Encoder, Vectors
from training.guises import Guises
from training.heads import Head
from training.nonsense import nonsense
from training.phrasebook import Phrasebook

BATCH, RATE = 256, 1e-3
WIDE_RATE = 8.0  # times the rate of the layers: most features are rare
KEPT_FEATURES, SMOOTHING = 0.8, 0.1
PHRASEBOOK_SENTENCES, NONSENSE = 2000, 500  # beside the sentences of the intents
SPREAD = 16.0  # length of a vector of meaning beside the pooled one, which has SIZE ** 0.5

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The shape of a task's head (see `Head`), how often it sees each sentence, and how much of the labels' frequencies
    it is to forget (logit adjustment, Menon et al., 2021): what is seldom written for us is no less urgent for that.
    """

    hidden: int
    epochs: int
    networks: int = 1
    forgets: float = 0.0
    wide: bool = False


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "intent": Recipe(hidden=512, epochs=32),
        "sentiment": Recipe(hidden=192, epochs=24, wide=True),
        "urgency": Recipe(hidden=128, epochs=32, networks=3, forgets=0.5),
    }
)


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
        bags = Bags(texts)
        parts = [
            self._read(*bags.draw(places)) for places in np.array_split(np.arange(len(bags)), len(bags) // BATCH + 1)
        ]
        return {task: torch.cat([part[task] for part in parts]) for task in self.heads}

    def _read(self, ids: Tensor, offsets: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            inputs = inputs_of(self.encoder(ids, offsets))
            return {task: head(inputs, ids, offsets) for task, head in self.heads.items()}


def labels_of(examples: Sequence[Example]) -> Labels:
    """The labels of each task, in the order of the outputs."""
    intents = tuple(sorted({example.intent for example in examples} - {""}))
    return {"intent": intents, "sentiment": SENTIMENTS, "urgency": URGENCIES}


def inputs_of(vectors: Vectors) -> Tensor:
    """What the heads read: (n, SIZE + MEANING)."""
    return torch.cat((vectors.pooled, vectors.meaning * SPREAD), 1)


def train(encoder: Encoder, examples: Sequence[Example], labels: Labels, seed: int = 1) -> Tasks:
    """Heads trained on the examples, of which any label may be empty."""
    encoder.eval()
    heads = {
        task: _train_head(encoder, _shown(task, examples, seed), task, names, seed) for task, names in labels.items()
    }
    return Tasks(encoder, nn.ModuleDict(heads), labels)


def _shown(task: str, examples: Sequence[Example], seed: int) -> list[Example]:
    """What a task's head is trained on."""
    known = [example for example in examples if getattr(example, task)]
    if task != "intent":
        return known
    return [*known, *Phrasebook(seed).sentences(PHRASEBOOK_SENTENCES), *nonsense(NONSENSE, seed)]


def _train_head(encoder: Encoder, examples: Sequence[Example], task: str, names: Sequence[str], seed: int) -> Head:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    recipe, guises, wanted = RECIPES[task], Guises(examples), _wanted(examples, task, names)
    usual = recipe.forgets * wanted.mean(0).log()
    head = Head(len(names), hidden=recipe.hidden, networks=recipe.networks, wide=recipe.wide)
    optimiser = _optimiser(head)
    head.train()
    for epoch in range(recipe.epochs):
        batches = np.array_split(random.permutation(len(examples)), len(examples) // BATCH + 1)
        for step, batch in enumerate(batches):
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * max(1 - (epoch + step / len(batches)) / recipe.epochs, 0.02)
            ids, offsets = guises.draw(batch, KEPT_FEATURES, random)
            with torch.no_grad():
                inputs = inputs_of(encoder(ids, offsets))
            logits = head.each(inputs, ids, offsets) + usual
            targets = wanted[batch, None].expand_as(logits)
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1)) * recipe.networks
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return head.eval()


def _wanted(examples: Sequence[Example], task: str, names: Sequence[str]) -> Tensor:
    """The probabilities of the labels that a head is to give: (n, labels); of nonsense, each label is as likely."""
    certain = torch.eye(len(names)) * (1 - SMOOTHING) + SMOOTHING / len(names)
    unsure = torch.full((len(names),), 1 / len(names))
    return torch.stack([certain[names.index(label)] if (label := getattr(item, task)) else unsure for item in examples])


def targets_of(examples: Sequence[Example], labels: Labels) -> dict[str, NDArray[np.int64]]:
    """The place of each example's label among those of each task; raises ValueError where one has none."""
    return {
        task: np.array([names.index(getattr(example, task)) for example in examples]) for task, names in labels.items()
    }


def _optimiser(head: Head) -> torch.optim.AdamW:
    groups: list[dict[str, object]] = [
        {"params": [*head.inner.parameters(), *head.outer.parameters()], "initial_lr": RATE, "weight_decay": 0.01}
    ]
    if head.wide is not None:
        groups.append({"params": [head.wide], "initial_lr": RATE * WIDE_RATE, "weight_decay": 0.0})
    return torch.optim.AdamW(groups)
