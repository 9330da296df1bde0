"""U+0000, which Postgres cannot store, is refused wherever it stands in a message."""

from __future__ import annotations

import pytest

from servers.kit.errors import InvalidInput
from tests.kit.echo.wire import Wire


async def test_text_that_cannot_be_stored_is_refused_by_its_field(wire: Wire) -> None:
    sent = wire.request("sal\0am", correlation_id="corr\0")
    sent.data.words["a"] = "\0"
    sent.data.words["b\0"] = ""
    sent.data.list.extend(["", "\0"])

    with pytest.raises(InvalidInput) as caught:
        await wire.stub.Echo(sent, metadata=wire.outside)

    told = {violation.field for violation in caught.value.violations if "U+0000" in violation.description}
    assert told == {
        "envelope.correlation_id",
        "data.text",
        'data.words["a"]',
        'data.words["b\\u0000"]',
        "data.list[1]",
    }
    assert not wire.service.calls


async def test_zero_bytes_that_are_no_text_pass(wire: Wire) -> None:
    sent = wire.request()
    sent.data.list.append("")  # its length is a zero byte
    assert b"\0" in sent.SerializeToString()
    assert (await wire.stub.Echo(sent, metadata=wire.outside)).data.text == "salam"
