"""Teaches the encoder: whatever the language, a text's vector is to be the teacher's of its English meaning.

Each batch asks three things of the vectors: to lie near the teacher's, to tell the meanings of the batch apart as the
teacher does, and to be as near to each other as the teacher's are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.corpus import read_lexicon
from training.encoder import Bags, Encoder
from training.lessons import Kind, Lesson
from training.teacher import Teacher
from training.variants import Variants

EPOCHS, BATCH = 14, 512
TABLE_RATE, RATE = 3e-3, 2e-3
KEPT_FEATURES, DROPOUT = 0.7, 0.1
SHARPNESS = 20.0  # of the likeness between meanings
NEARNESS = 5.0  # weight of lying near the teacher's vector
SHOWN = {Kind.SENTENCE: 1.0, Kind.PHRASE: 0.3, Kind.MUTATION: 0.5}
"""Share of the lessons that an epoch shows."""
GUISES = 3
"""Every so many epochs, texts are shown in another guise (see `variants`)."""


def distil(lessons: Sequence[Lesson], teacher: Teacher, epochs: int = EPOCHS, seed: int = 1) -> Encoder:
    """An encoder trained on the lessons."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants = Variants(seed, read_lexicon())
    meanings = torch.from_numpy(teacher.vectors([lesson.english for lesson in lessons]))
    written = Bags([lesson.text for lesson in lessons])
    encoder = Encoder(written.frequencies(), len(written))
    print(f"{len(lessons)} lessons, {len(encoder.table)} features", flush=True)
    chance = np.array([SHOWN[lesson.kind] for lesson in lessons])
    table = torch.optim.SparseAdam([encoder.table], lr=TABLE_RATE)
    layers = torch.optim.Adam([value for name, value in encoder.named_parameters() if name != "table"], lr=RATE)
    for epoch in range(epochs):
        encoder.train()
        bags = Bags([_guise(lesson, variants) for lesson in lessons]) if epoch % GUISES == 1 else written
        shown = random.permutation(np.flatnonzero(random.random(len(lessons)) < chance))
        batches = np.array_split(shown, len(shown) // BATCH + 1)
        for step, batch in enumerate(batches):
            left = max(1 - (epoch + step / len(batches)) / epochs, 0.02)
            table.param_groups[0]["lr"], layers.param_groups[0]["lr"] = TABLE_RATE * left, RATE * left
            vectors = encoder(*bags.draw(batch, KEPT_FEATURES, random), DROPOUT).meaning
            loss = _loss(vectors, meanings[batch])
            table.zero_grad()
            layers.zero_grad()
            loss.backward()
            table.step()
            layers.step()
        print(f"  epoch {epoch + 1}/{epochs}, loss {loss.item():.3f}", flush=True)
    return encoder.eval()


def _guise(lesson: Lesson, variants: Variants) -> str:
    return lesson.text if lesson.kind is Kind.MUTATION else variants.vary(lesson.text, lesson.language)[0]


def _loss(vectors: Tensor, meanings: Tensor) -> Tensor:
    wanted = functional.softmax(meanings @ meanings.T * SHARPNESS, 1)
    likenesses = (vectors @ meanings.T, vectors @ vectors.T)
    apart = [
        functional.kl_div(functional.log_softmax(likeness * SHARPNESS, 1), wanted, reduction="batchmean")
        for likeness in likenesses
    ]
    return NEARNESS * (1 - (vectors * meanings).sum(1)).mean() + torch.stack(apart).sum()
