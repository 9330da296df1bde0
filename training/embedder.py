"""Trains `model_repository/embedder`: vectors in which texts of one meaning, or of the same words, lie close.

    python -m training.embedder

A vector has two parts, each of unit length before it is weighted. The semantic part is learnt: sentences of one intent,
translations of the lexicon, phrases of one concept and guises of one sentence attract each other across languages, all
others in the batch repel. The lexical part is a signed hashing of the features weighted by idf: exact words, product
names, numbers. `LEXICAL_WEIGHT` is its share, chosen on the held-out retrieval of `training.evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import SPACE, encode
from training.corpus import Example, read_examples, read_lexicon
from training.encoder import Encoder, bags, inverse_document_frequency
from training.onnx_graph import Graph, write_config
from training.pairs import Pairs, agreement
from training.phrasebook import Phrasebook
from training.variants import Variants

FOLDER = Path(__file__).parents[1] / "model_repository" / "embedder"
SEMANTIC, LEXICAL = 128, 128  # dimensions of the two parts
SIZE, HIDDEN = 64, 128
LEXICAL_WEIGHT = 0.15
EPOCHS, BATCH, RATE = 12, 256, 2e-3
KEPT_FEATURES, DROPOUT = 0.7, 0.2
SENTENCE_TEMPERATURE = 0.1
INTENT_WEIGHT = 0.5
PHRASEBOOK_SENTENCES = 3000  # an epoch

Vectors = NDArray[np.float32]


@dataclass(slots=True)
class Model:
    """The encoder, its projection to the semantic part, and the weight of each feature in the lexical part."""

    encoder: Encoder
    projection: nn.Linear
    weights: NDArray[np.float32]

    def embed(self, texts: Sequence[str], lexical_weight: float = LEXICAL_WEIGHT) -> Vectors:
        """Unit vectors, (len(texts), SEMANTIC + LEXICAL)."""
        ids = encode(texts)
        self.encoder.eval()
        with torch.no_grad():
            semantic = functional.normalize(self.projection(self.encoder(*bags(ids)))).numpy()
        parts = semantic * (1 - lexical_weight) ** 0.5, self.lexical(ids) * lexical_weight**0.5
        vectors = np.concatenate(parts, axis=1)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)

    def lexical(self, ids: NDArray[np.int32]) -> Vectors:
        """The lexical part: each feature adds its weight, with its sign, to its dimension."""
        vectors = np.zeros((len(ids), LEXICAL), np.float32)
        signed = self.weights[ids] * (1 - 2 * (ids // LEXICAL % 2))
        for vector, row, values in zip(vectors, ids, signed, strict=True):
            np.add.at(vector, row % LEXICAL, values)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def train(examples: Sequence[Example], epochs: int = EPOCHS, seed: int = 1) -> Model:
    """Trains on the examples, the lexicon and the phrasebook."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants, phrasebook, pairs = Variants(seed, read_lexicon()), Phrasebook(seed), Pairs(seed)
    intents = sorted({example.intent for example in examples})
    sample, _ = _epoch(examples, variants, phrasebook, intents)
    encoder = Encoder(SIZE, HIDDEN, inverse_document_frequency(sample))
    projection, head = nn.Linear(SIZE, SEMANTIC), nn.Linear(SIZE, len(intents))
    optimiser = torch.optim.Adam(
        [*encoder.parameters(), *projection.parameters(), *head.parameters()], lr=RATE, fused=True
    )

    def project(ids: NDArray[np.int32]) -> tuple[Tensor, Tensor]:
        vectors = encoder(*bags(ids, KEPT_FEATURES, random), dropout=DROPOUT)
        return functional.normalize(projection(vectors)), vectors

    encoder.train()
    for epoch in range(epochs):
        ids, targets = _epoch(examples, variants, phrasebook, intents)
        batches = np.array_split(random.permutation(len(ids)), len(ids) // BATCH + 1)
        for step, batch in enumerate(batches):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - (epoch + step / len(batches)) / epochs)
            wanted = torch.from_numpy(targets[batch])
            embedded, vectors = project(ids[batch])
            left, right = pairs.draw(BATCH, variants)
            translated, _ = project(encode([*left, *right]))
            loss = (
                _attraction(embedded, wanted)
                + agreement(*translated.split(len(left)))
                + INTENT_WEIGHT * functional.cross_entropy(head(vectors), wanted, label_smoothing=0.1)
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"  epoch {epoch + 1}/{epochs}, loss {loss.item():.3f}", flush=True)
    return Model(encoder, projection, lexical_weights(encode([example.text for example in examples])))


def _epoch(
    examples: Sequence[Example], variants: Variants, phrasebook: Phrasebook, intents: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    varied = [*examples, *phrasebook.sentences(PHRASEBOOK_SENTENCES)]
    texts = [example.text for example in examples]
    texts += [variants.vary(example.text, example.language)[0] for example in varied]
    return encode(texts), np.array([intents.index(example.intent) for example in [*examples, *varied]])


def _attraction(vectors: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al., 2020): each vector against the others of its label."""
    same = (labels[:, None] == labels[None, :]).float()
    itself = torch.eye(len(labels), dtype=torch.bool)
    logits = (vectors @ vectors.T / SENTENCE_TEMPERATURE).masked_fill(itself, -1e9)
    positives = same.masked_fill(itself, 0)
    losses = -(positives * functional.log_softmax(logits, 1)).sum(1) / positives.sum(1).clamp(min=1)
    return losses.mean()


def lexical_weights(ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """Idf of each feature over the documents; a feature never seen weighs as much as the rarest seen."""
    frequency = np.zeros(SPACE + 1, np.int64)
    for row in ids:
        frequency[np.unique(row)] += 1
    weights = np.log((1 + len(ids)) / (1 + frequency)).astype(np.float32) / np.log(1 + len(ids))
    weights[0] = 0
    return weights


def export(model: Model, folder: Path = FOLDER) -> None:
    """Writes the model and its configuration."""
    graph = Graph()
    semantic = graph.unit(graph.linear(graph.encode(model.encoder), model.projection))
    lexical = _lexical(graph, model.weights)
    parts = [
        graph.add("Mul", part, graph.constant(np.float32([share**0.5])))
        for part, share in ((semantic, 1 - LEXICAL_WEIGHT), (lexical, LEXICAL_WEIGHT))
    ]
    graph.unit(graph.add("Concat", *parts, axis=1), name="embedding")
    graph.output("embedding", SEMANTIC + LEXICAL)
    graph.save(folder)
    write_config(folder, {"embedding": SEMANTIC + LEXICAL})


def _lexical(graph: Graph, weights: NDArray[np.float32]) -> str:
    """Signed weights of all features, scattered to their dimensions and added up."""
    ids = np.arange(len(weights))
    signed = (weights * (1 - 2 * (ids // LEXICAL % 2)) * 127).round().astype(np.int8)  # the scale vanishes in `unit`
    values = graph.add("Cast", graph.add("Gather", graph.constant(signed), "ids"), to=1)
    dimensions = graph.add("Cast", graph.add("Mod", "ids", graph.constant(np.int32(LEXICAL))), to=7)
    count = graph.add("Slice", graph.add("Shape", "ids"), graph.constant(np.int64([0])), graph.constant(np.int64([1])))
    shape = graph.add("Concat", count, graph.constant(np.int64([LEXICAL])), axis=0)
    zeros = graph.add("Expand", graph.constant(np.float32(0)), shape)
    return graph.unit(graph.add("ScatterElements", zeros, dimensions, values, axis=1, reduction="add"))


def main() -> None:
    """Trains without the held-out sentences, prints their retrieval, trains on everything, exports."""
    from training.evaluate import print_retrieval

    torch.set_num_threads(2)
    examples = read_examples()
    known = [example for example in examples if not example.held_out]
    trial = train(known)
    print_retrieval(trial.embed, known, [example for example in examples if example.held_out])
    export(train(examples))


if __name__ == "__main__":
    main()
