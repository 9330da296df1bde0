"""Questions and the passages that answer them: what ranking is trained on and measured by.

`encyclopaedia.txt` has paragraphs in English and Arabic, each pair followed by questions in English, Arabic and French;
`public_services.txt` has entries with paraphrased questions; `banking_topics.tsv` has topics named in Arabic with two
questions in Arabic letters and one in Latin ones. The demo knowledge is asked the held-out sentences of the intents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from servers.commands.evaluation.rag_knowledge import Text
from servers.demo import KNOWLEDGE, read_document
from servers.rag.chunking import passages_of
from servers.rag.extraction.markdown import parts_of
from servers.rag.vocabulary import word_of_language
from training.corpus import CORPORA, read_examples

FOLDER = CORPORA / "questions"

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


class Asked(NamedTuple):
    """A question, and the key of the texts that answer it."""

    text: str
    language: str
    answer: str


class QuestionSet(NamedTuple):
    """Questions to a corpus; `key_of` a text says which questions it answers."""

    name: str
    texts: Sequence[Text]
    questions: Sequence[Asked]


def key_of(text: Text) -> str:
    """What tells texts apart that answer different questions: the document, or the place that translations share."""
    return text.loc if text.topic else text.id


def read_sets() -> list[QuestionSet]:
    """All sets."""
    return [*_encyclopaedia(), _public_services(), *_banking(), demo()]


def _encyclopaedia() -> Iterator[QuestionSet]:
    paragraphs: dict[str, list[Text]] = {"en": [], "ar": []}
    questions: dict[str, list[Asked]] = {"en": [], "ar": [], "fr": []}
    for line in (FOLDER / "encyclopaedia.txt").read_text("utf-8").splitlines():
        mark, *cells = line.split("\t")
        if mark in paragraphs:
            paragraphs[mark].append(Text(str(len(paragraphs[mark])), "", cells[0], mark))
        elif mark == "?":
            for language, text in zip(questions, cells, strict=True):
                questions[language].append(Asked(text, language, str(len(paragraphs["ar"]) - 1)))
    for language, asked in questions.items():
        for written, texts in paragraphs.items():
            yield QuestionSet(f"encyclopaedia, {language} to {written}", texts, asked)


def _public_services() -> QuestionSet:
    texts: list[Text] = []
    questions: list[Asked] = []
    for line in (FOLDER / "public_services.txt").read_text("utf-8").splitlines():
        match line.split("\t"):
            case ["=", title, text]:
                texts.append(Text(str(len(texts)), title, text, "fr"))
            case [language, question]:
                questions.append(Asked(question, language, str(len(texts) - 1)))
            case _:
                raise ValueError(f"public_services.txt: neither an entry nor a question: {line}")
    return QuestionSet("public services", texts, questions)


def _banking() -> Iterator[QuestionSet]:
    rows = [line.split("\t") for line in (FOLDER / "banking_topics.tsv").read_text("utf-8").splitlines()]
    texts = [Text(str(number), "", topic, "ar") for number, (topic, *_) in enumerate(rows)]
    for name, columns in (("darija_arabic", (1, 2)), ("darija_arabizi", (3,))):
        questions = [Asked(row[column], name, str(number)) for number, row in enumerate(rows) for column in columns]
        yield QuestionSet(f"banking topics, {name}", texts, questions)


def demo() -> QuestionSet:
    """The demo knowledge in all languages, all translations of an entry being one, and the held-out sentences."""
    texts = [
        Text(document.id, passage.title, passage.text, word_of_language(document.language), passage.loc, "demo")
        for document in (read_document(file) for file in sorted(KNOWLEDGE.glob("*.*.md")))
        for passage in passages_of(parts_of(document.text))
    ]
    questions = [
        Asked(example.text, example.language, ANCHORS[example.intent])
        for example in read_examples()
        if example.held_out and example.intent in ANCHORS
    ]
    return QuestionSet("demo", texts, questions)
