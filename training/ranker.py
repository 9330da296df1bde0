"""Trains `model_repository/ranker`: `python -m training.ranker`.

The product's own retrieval asks the questions of `training.questions`, with an embedding that never saw the held-out
sentences, and keeps what the ranker sees of the candidates: once as they are, once without those that answer, so that
the model meets questions that nothing answers. A few small networks, each a linear map with a correction by one hidden
layer, learn to put what answers first and to say how likely it answers; their mean is one model. Figures and calibration come
from three folds of the questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from salambot.rag.v1 import rag_pb2
from torch import Tensor, nn
from torch.nn import functional

from servers.commands.evaluation.rag_knowledge import Knowledge
from servers.rag.embedding import Embedder
from servers.rag.ranking.features import FEATURES, Candidate, features_of
from servers.rag.ranking.question import Question
from servers.rag.ranking.ranker import MODEL, MOST, Ranker
from servers.rag.retrieval import Retriever
from training.corpus import read_examples
from training.embedding import Embedding, train
from training.questions import QuestionSet, key_of, read_sets
from training.reader import kept_encoder

FOLDER = Path(__file__).parents[1] / "model_repository" / MODEL

MEMBERS, HIDDEN = 3, 64
EPOCHS, RATE, DECAY = 300, 5e-3, 3e-2
FOLDS = 3
_CALIBRATION = 0.3  # weight of saying how likely, beside putting first
_SLOTS = 16  # candidates looked at
_OPSET, _IR_VERSION = 17, 8

Floats = NDArray[np.float32]


class Trial(Embedder):
    """Embeds with a model in training, without a model server."""

    def __init__(self, model: Embedding) -> None:
        self._model = model

    async def embed(self, texts: Sequence[str]) -> Floats:
        """See Embedder."""
        return self._model.embed(texts)


class Sight(NamedTuple):
    """What the ranker sees of a question's candidates, (n, features), and which of them answer, (n,)."""

    features: Floats
    answers: NDArray[np.bool_]


class Recorder(Ranker):
    """Keeps what it sees, and judges nothing."""

    def __init__(self, keys: dict[tuple[str, str], str]) -> None:
        self._keys = keys
        self.answer = ""
        self.seen: list[Sight] = []

    async def judge(self, question: Question, ideal: float, candidates: Sequence[Candidate]) -> None:
        """See Ranker."""
        answers = np.array([self._keys[one.title, one.text] == self.answer for one in candidates])
        self.seen.append(Sight(features_of(question, ideal, candidates), answers))
        others = [one for one, right in zip(candidates, answers, strict=True) if not right]
        if others:
            self.seen.append(Sight(features_of(question, ideal, others), np.zeros(len(others), bool)))


class Recorded(NamedTuple):
    """What was seen of one set: pairs of sights, with all candidates and without those that answer."""

    name: str
    sights: Sequence[Sequence[Sight]]


async def record(asked: QuestionSet, embedder: Embedder) -> Recorded:
    """Asks all questions of a set."""
    knowledge = await Knowledge.of(asked.texts, embedder)
    recorder = Recorder({(text.title, text.text): key_of(text) for text in asked.texts})
    retriever = Retriever(
        embedder=embedder,
        vectors=knowledge,
        read=knowledge.read,
        statistics_of=knowledge.statistics_of,
        ranker=recorder,
    )
    sights = []
    for question in asked.questions:
        recorder.answer, recorder.seen = question.answer, []
        await retriever.retrieve("", rag_pb2.RetrieveInput(query=question.text), staff=False)
        sights.append(recorder.seen)
    return Recorded(asked.name, sights)


class Net(nn.Module):
    """Features → logit: the mean of several small networks."""

    def __init__(self, members: int = MEMBERS) -> None:
        super().__init__()
        self.members = nn.ModuleList(_Member() for _ in range(members))
        self.mean, self.spread = torch.zeros(len(FEATURES)), torch.ones(len(FEATURES))
        self.slope, self.shift = 1.0, 0.0

    def forward(self, features: Tensor) -> Tensor:
        """Logits, one for each row of features."""
        scaled = (features - self.mean) / self.spread
        logits: Tensor = torch.stack([member(scaled) for member in self.members]).mean(0)
        return self.slope * logits + self.shift

    def score(self, features: Floats) -> Floats:
        """Logits of candidates."""
        with torch.no_grad():
            scores: Floats = self(torch.from_numpy(features)).numpy()
        return scores


class _Member(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(len(FEATURES), HIDDEN)
        self.outer = nn.Linear(HIDDEN, 1)
        self.direct = nn.Linear(len(FEATURES), 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.outer(torch.tanh(self.inner(features))) + self.direct(features)
        return logits.squeeze(-1)


def fit(sets: Sequence[Recorded], seed: int = 1) -> Net:
    """A model of what was seen; sets count by the fourth root of their size cubed."""
    torch.manual_seed(seed)
    net = Net()
    sights = [(sight, len(one.sights) ** -0.25) for one in sets for pair in one.sights for sight in pair]
    features = torch.zeros(len(sights), _SLOTS, len(FEATURES))
    answers, there = torch.zeros(len(sights), _SLOTS), torch.zeros(len(sights), _SLOTS, dtype=torch.bool)
    weights = torch.tensor([weight for _, weight in sights])
    for row, (sight, _) in enumerate(sights):
        size = min(_SLOTS, len(sight.answers))
        features[row, :size] = torch.from_numpy(sight.features[:size])
        answers[row, :size] = torch.from_numpy(sight.answers[:size].astype(np.float32))
        there[row, :size] = True
    net.mean, net.spread = features[there].mean(0), features[there].std(0) + 1e-3
    scaled = (features - net.mean) / net.spread
    share = answers / answers.sum(1, keepdim=True).clamp(min=1)
    for member in net.members:
        optimiser = torch.optim.AdamW(member.parameters(), lr=RATE, weight_decay=DECAY)
        for _ in range(EPOCHS):
            logits = member(scaled).masked_fill(~there, -30)
            first = -(share * functional.log_softmax(logits, 1)).sum(1)
            likely = functional.binary_cross_entropy_with_logits(logits, answers, reduction="none") * there
            loss = ((first + _CALIBRATION * likely.sum(1)) * weights).sum() / weights.sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net


def cross_validated(sets: Sequence[Recorded]) -> list[list[list[Floats]]]:
    """For each set and question, the logits of both sights by a model that saw other questions."""
    nets = [
        fit([Recorded(one.name, [pair for at, pair in enumerate(one.sights) if at % FOLDS != fold]) for one in sets])
        for fold in range(FOLDS)
    ]
    return [
        [[nets[at % FOLDS].score(sight.features) for sight in pair] for at, pair in enumerate(one.sights)]
        for one in sets
    ]


def calibrate(net: Net, sets: Sequence[Recorded], logits: Sequence[Sequence[Sequence[Floats]]]) -> float:
    """Fits slope and shift on logits of models that did not see the questions; the calibration error of first passages."""
    firsts = [
        (float(scores.max()), bool(sight.answers[scores.argmax()]))
        for one, by_question in zip(sets, logits, strict=True)
        for pair, found in zip(one.sights, by_question, strict=True)
        for sight, scores in zip(pair, found, strict=True)
    ]
    scores, right = torch.tensor([score for score, _ in firsts]), torch.tensor([float(hit) for _, hit in firsts])
    slope, shift = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([slope, shift], max_iter=100)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(slope * scores + shift, right)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)
    net.slope, net.shift = slope.item(), shift.item()
    said = torch.sigmoid(net.slope * scores + net.shift).numpy()
    bins = np.minimum((said * 10).astype(int), 9)
    hit = right.numpy()
    return float(sum((bins == b).mean() * abs(said[bins == b].mean() - hit[bins == b].mean()) for b in set(bins)))


def export(net: Net, folder: Path = FOLDER) -> None:
    """Writes the model and its configuration: `features` (n, features) → `relevance` (n, 1)."""
    constants: list[onnx.TensorProto] = []

    def constant(value: Tensor) -> str:
        name = f"constant_{len(constants)}"
        constants.append(numpy_helper.from_array(value.detach().numpy().astype(np.float32), name))
        return name

    scale = 1 / net.spread
    members: list[Any] = list(net.members)
    inner = torch.cat([member.inner.weight for member in members]) * scale
    inner_bias = torch.cat([member.inner.bias for member in members]) - inner @ net.mean
    outer = torch.cat([member.outer.weight for member in members], 1) * net.slope / len(members)
    direct = torch.stack([member.direct.weight for member in members]).mean(0) * scale * net.slope
    bias = torch.stack([member.outer.bias for member in members]).mean(0) * net.slope + net.shift
    nodes = [
        helper.make_node("Gemm", ["features", constant(inner), constant(inner_bias)], ["inner"], transB=1),
        helper.make_node("Tanh", ["inner"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", constant(outer), constant(bias - direct @ net.mean)], ["bent"], transB=1),
        helper.make_node("Gemm", ["features", constant(direct)], ["straight"], transB=1),
        helper.make_node("Add", ["bent", "straight"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["relevance"]),
    ]
    graph = helper.make_graph(
        nodes,
        MODEL,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", len(FEATURES)])],
        [helper.make_tensor_value_info("relevance", TensorProto.FLOAT, ["n", 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    (folder / "1").mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(
        'backend: "onnxruntime"\n'
        f"max_batch_size: {MOST}\n"
        f'input [ {{ name: "features" data_type: TYPE_FP32 dims: [ {len(FEATURES)} ] }} ]\n'
        'output [ { name: "relevance" data_type: TYPE_FP32 dims: [ 1 ] } ]\n'
        "instance_group [ { kind: KIND_CPU } ]\n"
        'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'
    )


def print_figures(sets: Sequence[Recorded], logits: Sequence[Sequence[Sequence[Floats]]]) -> None:
    """Of the questions of each set, how many have a right passage first, and among the first five."""
    print("| set | questions | R@1 | R@5 | among the candidates |\n|---|---|---|---|---|")
    for one, by_question in zip(sets, logits, strict=True):
        ranks = np.array(
            [_rank(pair[0].answers, scores[0]) for pair, scores in zip(one.sights, by_question, strict=True)]
        )
        shares = [100 * (ranks < within).mean() for within in (1, 5, 10**6)]
        print(f"| {one.name} | {len(ranks)} | " + " | ".join(f"{share:.1f}" for share in shares) + " |")


def _rank(answers: NDArray[np.bool_], scores: Floats) -> int:
    hits = np.flatnonzero(answers[np.argsort(-scores, kind="stable")])
    return int(hits[0]) if len(hits) else 10**6


def main(embedding: Embedding | None = None) -> None:
    """Records, prints the cross-validated figures, trains on everything, exports."""
    torch.set_num_threads(1)
    known = [example for example in read_examples() if not example.held_out]
    embedder = Trial(embedding or train(kept_encoder(), known))

    async def record_all() -> list[Recorded]:
        return [await record(asked, embedder) for asked in read_sets()]

    sets = asyncio.run(record_all())
    logits = cross_validated(sets)
    print_figures(sets, logits)
    net = fit(sets)
    print(f"\nexpected calibration error of first passages {calibrate(net, sets, logits):.3f}")
    export(net)


if __name__ == "__main__":
    main()
