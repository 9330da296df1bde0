"""The language of a document, read by NLU in a sample of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit import method
from servers.kit.call import serving, work
from servers.kit.client import Channel
from servers.kit.envelope import Envelope, complete, new_id
from servers.kit.errors import SalamError
from servers.kit.principal import Principal
from servers.kit.tenants import Tenants
from servers.rag.passages import Passage
from servers.rag.vocabulary import LANGUAGES, Language

_ANALYZE = "/salambot.nlu.v1.NLUService/Analyze"
_SCOPES = frozenset({options_pb2.SCOPE_CHAT})
_SECONDS = 5.0
_PLACES = 4  # a document may begin with a table of contents, and end with an address
_SAMPLE = 400  # code points at each of them
_ARABIC = re.compile(r"[\u0620-\u064a]")
_LATIN = re.compile(r"[A-Za-z]")

log = structlog.get_logger(__name__)


class Languages:
    """Recognises the language of texts."""

    def __init__(self, channel: Channel, tenants: Tenants) -> None:
        self._nlu = nlu_service_pb2_grpc.NLUServiceStub(channel)
        self._tenants = tenants

    async def of(self, tenant: str, passages: Sequence[Passage]) -> Language:
        """The language of a document; while NLU is out of reach, what its letters and the tenant's locale suggest."""
        sample = _sample(passages)
        locale = (await self._tenants.get(tenant)).locale
        envelope = Envelope(tenant=tenant, channel=envelope_pb2.CHANNEL_SYSTEM, message_id=new_id("import"))
        complete(envelope, locale=locale)
        principal = Principal(tenant, "import", _SCOPES, locale, internal=True)
        try:
            with serving(work(method.find(_ANALYZE), principal, envelope, _SECONDS)):
                reply = await self._nlu.Analyze(nlu_service_pb2.AnalyzeRequest(data=nlu_pb2.AnalyzeInput(text=sample)))
        except SalamError as error:
            log.warning("the language of a document was guessed", tenant=tenant, problem=error.message)
            return _guess(sample, locale)
        return reply.data.language


def _sample(passages: Sequence[Passage]) -> str:
    chosen = passages[:: max(1, len(passages) // _PLACES)][:_PLACES]
    return "\n".join(passage.text[:_SAMPLE] for passage in chosen)


def _guess(sample: str, locale: str) -> Language:
    if len(_ARABIC.findall(sample)) > len(_LATIN.findall(sample)):
        return envelope_pb2.LANGUAGE_AR
    spoken = LANGUAGES.get(locale.partition("-")[0].lower(), envelope_pb2.LANGUAGE_FR)
    return envelope_pb2.LANGUAGE_FR if spoken == envelope_pb2.LANGUAGE_AR else spoken
