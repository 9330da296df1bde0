"""Measures retrieval over the demo knowledge, by the language of the question: `python -m training.retrieval`.

Questions are the held-out sentences of the corpus whose intent an entry of the knowledge base answers, embedded by a
model that never saw them (the one that is shipped saw them all) and found as the product finds them. All translations of
an entry are one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from salambot.rag.v1 import rag_pb2

from servers.commands.evaluation.rag_knowledge import Knowledge
from servers.kit.inference.onnx import OnnxInference
from servers.rag.ranking.ranker import Ranker
from servers.rag.retrieval import Retriever
from servers.rag.vocabulary import LANGUAGES
from training.corpus import read_examples
from training.embedding import Embedding, train
from training.questions import QuestionSet, demo
from training.ranker import FOLDER, Trial
from training.reader import kept_encoder

_NOWHERE = 50


async def ranks(asked: QuestionSet, embedding: Embedding) -> list[int]:
    """The rank of the right entry for each question, 0 for the first, among the first `_NOWHERE`."""
    embedder = Trial(embedding)
    knowledge = await Knowledge.of(asked.texts, embedder)
    inference = await OnnxInference.open(FOLDER.parent)
    retriever = Retriever(
        embedder=embedder,
        vectors=knowledge,
        read=knowledge.read,
        statistics_of=knowledge.statistics_of,
        ranker=Ranker(inference),
    )
    found = []
    for question in asked.questions:
        request = rag_pb2.RetrieveInput(query=question.text, language=LANGUAGES[question.language])
        places = [citation.loc for citation in (await retriever.retrieve("", request, staff=False)).citations]
        found.append(places.index(question.answer) if question.answer in places else _NOWHERE)
    await inference.close()
    return found


def print_figures(asked: QuestionSet, found: Sequence[int]) -> None:
    """Prints recall by language."""
    print("| language | questions | R@1 | R@5 |\n|---|---|---|---|")
    for language in (*LANGUAGES, "all"):
        chosen = np.array(
            [
                rank
                for question, rank in zip(asked.questions, found, strict=True)
                if language in ("all", question.language)
            ]
        )
        print(f"| {language} | {len(chosen)} | {100 * (chosen < 1).mean():.1f} | {100 * (chosen < 5).mean():.1f} |")


def main() -> None:
    """Trains without the held-out sentences, then asks them."""
    embedding = train(kept_encoder(), [example for example in read_examples() if not example.held_out])
    asked = demo()
    print_figures(asked, asyncio.run(ranks(asked, embedding)))


if __name__ == "__main__":
    main()
