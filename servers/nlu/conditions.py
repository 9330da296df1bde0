"""What an analysis depends on besides its message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salambot.common.v1 import envelope_pb2

from servers.kit.errors import SalamError
from servers.kit.tenants import Tenants
from servers.kit.text.policy import MASK_ALL, Masking, Policies
from servers.nlu.entity_types.catalogue import Catalogue
from servers.nlu.entity_types.matcher import NOTHING, Matcher
from servers.nlu.intents.heads import TenantIntents
from servers.nlu.intents.reading import Published
from servers.nlu.labels import language_of, language_of_locale
from servers.nlu.language import SERVED


@dataclass(frozen=True, slots=True)
class Conditions:
    """A tenant's wishes and what it taught: when any of it changes, messages are read anew.

    `otherwise` is the language of messages without words. `foreign` is the language that messages in none of the five
    are taken to be in; None for the nearest. `intents` is the tenant's version in force; None without one.
    """

    tenant: str = ""
    masking: Masking = MASK_ALL
    otherwise: envelope_pb2.Language.ValueType = envelope_pb2.LANGUAGE_FR
    foreign: envelope_pb2.Language.ValueType | None = None
    intents: Published | None = None
    matcher: Matcher = NOTHING


BY_DEFAULT = Conditions()


class ConditionsOf:
    """Finds the conditions of tenants; everything is kept in process, so that a message waits for none of it."""

    def __init__(self, tenants: Tenants, secret: bytes, intents: TenantIntents, catalogue: Catalogue) -> None:
        """`secret` is the installation's."""
        self._tenants = tenants
        self._policies = Policies(tenants, secret)
        self._intents = intents
        self._catalogue = catalogue

    async def __call__(self, tenant: str, locale: str) -> Conditions:
        """The conditions for messages of customers in `locale`. Never fails: what cannot be known is as by default."""
        return Conditions(
            tenant,
            await self._policies.of(tenant),
            language_of_locale(locale),
            _foreign(await self._settings(tenant)),
            await self._intents.in_force(tenant),
            await self._catalogue.matcher(tenant),
        )

    async def _settings(self, tenant: str) -> Mapping[str, Any]:
        try:
            return (await self._tenants.get(tenant)).settings
        except SalamError:
            return {}


def _foreign(settings: Mapping[str, Any]) -> envelope_pb2.Language.ValueType | None:
    wanted = settings.get("unknown_language")
    return language_of(wanted) if wanted in SERVED else None
