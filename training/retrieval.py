"""Measures retrieval over the demo knowledge, by the language of the question: `python -m training.retrieval`.

Questions are the held-out sentences of the corpus whose intent an entry of the knowledge base answers, embedded by a
model that never saw them (the one that is shipped saw them all). Prints R@1 and R@5 (of the entries, all translations
being one) and fits the curve that turns a cosine into a relevance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from servers.demo import KNOWLEDGE, read_document
from servers.kit.vectors import Item, Match
from servers.rag.documents import passages_of
from servers.rag.embedding import Embedder
from servers.rag.index import items_of
from servers.rag.retrieval import Found, subjects_of
from servers.rag.vocabulary import LANGUAGES
from training.corpus import Example, read_examples
from training.embedding import Embedding, train
from training.reader import kept_encoder

ANCHORS = {
    "account_close": "#fermer-compte",
    "account_login": "#mot-de-passe-oublie",
    "account_open": "#ouvrir-compte",
    "account_update": "#changer-coordonnees",
    "appointment_book": "#prendre-rendez-vous",
    "balance_check": "#solde",
    "bill_pay": "#payer-facture",
    "billing_dispute": "#facture-trop-elevee",
    "billing_view": "#voir-facture",
    "bot_identity": "#assistant-virtuel",
    "branch_location": "#agences",
    "cancel_order": "#annuler-commande",
    "cancel_subscription": "#resilier-abonnement",
    "card_block": "#carte-perdue-volee",
    "card_problem": "#carte-bloquee-refusee",
    "change_order": "#modifier-commande",
    "complaint": "#reclamation",
    "damaged_item": "#colis-endommage",
    "delivery_address_change": "#changer-adresse",
    "delivery_delay": "#retard-livraison",
    "delivery_options": "#frais-delais-livraison",
    "document_request": "#documents-attestation",
    "exchange_product": "#echanger-produit",
    "fraud_report": "#fraude",
    "human_agent": "#contacter-conseiller",
    "internet_problem": "#panne-internet",
    "loan_info": "#credit",
    "network_problem": "#reseau-mobile",
    "opening_hours": "#horaires",
    "order_status": "#suivre-commande",
    "outage_report": "#coupure-electricite-eau",
    "payment_failed": "#paiement-refuse",
    "payment_methods": "#moyens-paiement",
    "place_order": "#passer-commande",
    "plan_change": "#changer-forfait",
    "plan_info": "#offres-forfaits",
    "price_ask": "#prix",
    "product_availability": "#disponibilite-produit",
    "product_info": "#infos-produit",
    "promo_code": "#code-promo",
    "refund_request": "#demander-remboursement",
    "refund_status": "#suivi-remboursement",
    "return_product": "#retourner-produit",
    "roaming": "#roaming",
    "sim_problem": "#carte-sim",
    "technical_support": "#assistance-technique",
    "top_up": "#recharge",
    "transfer_money": "#virement",
    "transfer_problem": "#virement-non-recu",
    "warranty": "#garantie",
}
"""Intent → the place that answers it. Greetings, thanks and questions about something else have none."""


class Trial(Embedder):
    """Embeds with a model in training, without a model server."""

    def __init__(self, model: Embedding) -> None:
        self._model = model

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder."""
        return self._model.embed(texts)


class Measured:
    """Answers to questions: `rank` of the right entry (0 is the first), and how near the first entry is."""

    def __init__(self, items: Sequence[Item], questions: Sequence[Example], vectors: NDArray[np.float32]) -> None:
        self.questions = questions
        cosines = vectors @ np.stack([item.vector for item in items]).T
        answers = [
            subjects_of(
                [Match(items[at].id, float(row[at]), items[at].payload) for at in np.argsort(-row)[:50]],
                LANGUAGES[question.language],
            )
            for question, row in zip(questions, cosines, strict=True)
        ]
        self.best = np.array([answer[0].best for answer in answers])
        self.ranks = np.array([_rank(*pair) for pair in zip(questions, answers, strict=True)])

    def recall(self, chosen: NDArray[np.bool_], within: int) -> float:
        """Share of the chosen questions, in percent, whose entry is among the first `within`."""
        return 100 * float((self.ranks[chosen] < within).mean())


def _rank(question: Example, answer: Sequence[Found]) -> int:
    places = [found.shown.payload["loc"] for found in answer]
    anchor = ANCHORS.get(question.intent)
    return places.index(anchor) if anchor in places else len(places)


async def measure(embedder: Embedder, questions: Sequence[Example]) -> Measured:
    """Embeds the knowledge base as the component does, and asks all questions; the search is exact."""
    documents = [read_document(file) for file in sorted(KNOWLEDGE.glob("*.*.md"))]
    items = [item for document in documents for item in await items_of(embedder, document, passages_of(document.text))]
    return Measured(items, questions, await embedder.embed([question.text for question in questions]))


def print_figures(measured: Measured) -> None:
    """Prints recall by language, and the curve."""
    answered = np.array([question.intent in ANCHORS for question in measured.questions])
    print("| language | questions | R@1 | R@5 |\n|---|---|---|---|")
    for language in (*LANGUAGES, "all"):
        chosen = answered & np.array([language in ("all", question.language) for question in measured.questions])
        print(f"| {language} | {chosen.sum()} | {measured.recall(chosen, 1):.1f} | {measured.recall(chosen, 5):.1f} |")
    right = answered & (measured.ranks == 0)
    curve = LogisticRegression(C=1e6).fit(measured.best[:, None], right)
    slope, middle = float(curve.coef_[0, 0]), float(-curve.intercept_[0] / curve.coef_[0, 0])
    print(f"\nRelevance, the probability that the first passage answers: middle {middle:.3f}, slope {slope:.1f}")


def main() -> None:
    """Trains without the held-out sentences, then asks them."""
    examples = read_examples()
    model = train(kept_encoder(), [example for example in examples if not example.held_out])
    print_figures(asyncio.run(measure(Trial(model), [example for example in examples if example.held_out])))


if __name__ == "__main__":
    main()
