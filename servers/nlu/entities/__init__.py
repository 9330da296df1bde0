"""Entities: what a message names, with code-point offsets into the text as it was written."""

from servers.nlu.entities.finder import find_entities
from servers.nlu.entities.mention import Mention

__all__ = ["Mention", "find_entities"]
