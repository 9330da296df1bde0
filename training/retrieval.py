"""Measures retrieval over the demo knowledge, by the language of the question: `python -m training.retrieval`.

Questions are the corpus's sentences whose intent an entry of the knowledge base answers. Prints R@1 and R@5 (of the
entries, all translations being one) and fits the curve that turns a cosine into a relevance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from servers.demo import KNOWLEDGE, read_document
from servers.kit.inference.onnx import OnnxInference
from servers.kit.vectors import Item, Match
from servers.rag.documents import passages_of
from servers.rag.embedding import Embedder
from servers.rag.index import items_of
from servers.rag.retrieval import subjects_of
from servers.rag.vocabulary import LANGUAGES
from training.corpus import Example, read_examples

MODELS = Path(__file__).parents[1] / "model_repository"

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


class Measured:
    """The knowledge base and the questions, embedded; searches are exact."""

    def __init__(self, items: Sequence[Item], questions: Sequence[Example], vectors: NDArray[np.float32]) -> None:
        self.questions = questions
        cosines = vectors @ np.stack([item.vector for item in items]).T
        self.found = [
            subjects_of(
                [Match(items[at].id, float(row[at]), items[at].payload) for at in np.argsort(-row)[:50]],
                LANGUAGES[question.language],
            )
            for question, row in zip(questions, cosines, strict=True)
        ]
        self.ranks = np.array([self._rank(at) for at in range(len(questions))])
        self.best = np.array([found[0].best for found in self.found])

    def _rank(self, at: int) -> int:
        places = [found.shown.payload["loc"] for found in self.found[at]]
        anchor = ANCHORS.get(self.questions[at].intent)
        return places.index(anchor) if anchor in places else len(places)

    def recall(self, chosen: NDArray[np.bool_], within: int) -> float:
        """Share of the chosen questions, in percent, whose entry is among the first `within`."""
        return 100 * float((self.ranks[chosen] < within).mean())


async def measure() -> Measured:
    """Embeds the knowledge base as the component does, and all questions."""
    inference = await OnnxInference.open(MODELS)
    embedder = Embedder(inference)
    documents = [read_document(file) for file in sorted(KNOWLEDGE.glob("*.*.md"))]
    items = [item for document in documents for item in await items_of(embedder, document, passages_of(document.text))]
    questions = read_examples()
    vectors = await embedder.embed([question.text for question in questions])
    await inference.close()
    return Measured(items, questions, vectors)


def main() -> None:
    """Prints the tables."""
    measured = asyncio.run(measure())
    questions = measured.questions
    answered = np.array([question.intent in ANCHORS for question in questions])
    held_out = np.array([question.held_out for question in questions])
    print(f"{'':16}{'held out':>18}{'all':>22}\n{'':16}{'R@1':>8}{'R@5':>8}{'n':>6}{'R@1':>8}{'R@5':>8}{'n':>6}")
    for language in (*LANGUAGES, ""):
        spoken = np.array([language in ("", question.language) for question in questions]) & answered
        line = f"{language or 'all':16}"
        for chosen in (spoken & held_out, spoken):
            line += f"{measured.recall(chosen, 1):8.1f}{measured.recall(chosen, 5):8.1f}{chosen.sum():6}"
        print(line)

    right = (measured.ranks == 0) & answered
    curve = LogisticRegression(C=1e6).fit(measured.best[held_out, None], right[held_out])
    slope, middle = float(curve.coef_[0, 0]), float(-curve.intercept_[0] / curve.coef_[0, 0])
    print(f"\nrelevance: middle {middle:.3f}, slope {slope:.1f} (probability that the first passage answers, held out)")


if __name__ == "__main__":
    main()
