"""Enumerations as the lower-case words of the REST edge: `CHANNEL_FACEBOOK` is `facebook`."""

from __future__ import annotations

from google.protobuf.descriptor import EnumDescriptor

from gateway.transcoding.refusal import Refused, wrong_type


class Words(dict[int, str | int]):
    """Word of each number. A number that a newer peer sent is told as it is, for enums are open."""

    def __missing__(self, number: int) -> int:
        return number


def words_of(enum: EnumDescriptor) -> Words:
    """The words of an enum; the prefix is what stands before `UNSPECIFIED` in the name of its zero."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return Words({value.number: value.name.removeprefix(prefix).lower() for value in enum.values})


def numbers_of(enum: EnumDescriptor) -> dict[str, int]:
    """The number of each word."""
    return {str(word): number for number, word in words_of(enum).items()}


def word(value: object, numbers: dict[str, int]) -> int:
    """The number of a word, or Refused with the words there are."""
    if type(value) is not str:
        wrong_type("a word", value)
    number = numbers.get(value)
    if number is None:
        known = [name for name, code in numbers.items() if code or len(numbers) == 1]
        raise Refused(f"must be one of {', '.join(known)}")
    return number
