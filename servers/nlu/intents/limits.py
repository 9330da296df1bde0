"""How many examples and intents a tenant may have, and how few a training can do with."""

from __future__ import annotations

from collections.abc import Mapping

from servers.kit.errors import InvalidInput
from servers.nlu.intents.head import OUT_OF_SCOPE

MOST_EXAMPLES, MOST_INTENTS = 100_000, 1_000
FEWEST_INTENTS, FEWEST_EXAMPLES = 2, 2


def check_size(examples: int, intents: int) -> None:
    """Raises InvalidInput where a tenant would have too many."""
    if examples > MOST_EXAMPLES or intents > MOST_INTENTS:
        raise InvalidInput(
            f"a tenant has at most {MOST_EXAMPLES:,} examples of {MOST_INTENTS:,} intents; "
            f"there would be {examples:,} of {intents:,}"
        )


def check_trainable(examples: Mapping[str, int]) -> None:
    """Raises InvalidInput where the numbers of examples by intent are too small to train and to cross-validate on."""
    intents = sum(intent != OUT_OF_SCOPE for intent in examples)
    if intents < FEWEST_INTENTS:
        raise InvalidInput(f"a training needs examples of {FEWEST_INTENTS} intents or more; there are {intents}")
    poor = sorted(intent for intent, count in examples.items() if count < FEWEST_EXAMPLES)
    if poor:
        raise InvalidInput(
            f"a training needs {FEWEST_EXAMPLES} examples or more of each intent; "
            f"{poor[0]} has fewer{f', and {len(poor) - 1} others' if poor[1:] else ''}"
        )
