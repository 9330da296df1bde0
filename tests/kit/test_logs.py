"""Logs: what they never hold, whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from servers.kit.settings import read_settings
from servers.kit.telemetry import set_up_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_trace_shows_no_variables(capsys: pytest.CaptureFixture[str], log_format: Literal["json", "console"]) -> None:
    set_up_logging(read_settings(log_format=log_format))
    _fail("".join(("sk_", "not", "to", "be", "seen")))
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "sk_nottobeseen" not in told


def _fail(key: str) -> None:
    try:
        _ = len(key) / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("a request broke")
