"""What is made of single words, again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 1 << 16
_LONGEST = 40  # characters of a key that is kept: a text may be one word


class Memo(dict[str, T], Generic[T]):
    """A value for each word, made when it is first asked for; when full, it begins anew.

    `functools.lru_cache` takes twice as long to find what it knows, which shows at thousands of words a question.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: str) -> T:
        value = self._make(word)
        if len(word) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[word] = value
        return value
