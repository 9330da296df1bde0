"""Settings: the environment, read once."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from servers.kit.settings import PREFIX, Settings, SettingsError, read_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "eighty"),
        ("HTTP_PORT", "70000"),
        ("GRPC_PORT", "-1"),
        ("DATABASE_POOL", "1"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("RATE_LIMIT_WITHOUT_REDIS", "perhaps"),
        ("RETENTION_DAYS", "7"),
        ("LOG_LEVEL", "loud"),
        ("EMBEDDED_TRITON", "maybe"),
        ("INTERNAL_SECRET", "too short"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "127.0.0.1, proxy.example"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=f"^{PREFIX}{name}: ") as caught:
        read_settings()
    assert "too short" not in str(caught.value).removeprefix(f"{PREFIX}{name}: ")


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}HTTP_PORT", "x")
    monkeypatch.setenv(f"{PREFIX}LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"HTTP_PORT.*; .*LOG_LEVEL"):
        read_settings()


def test_the_environment_and_what_wins_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}HTTP_PORT", "9000")
    monkeypatch.setenv(f"{PREFIX}REDIS_URL", "")  # as good as not set
    assert read_settings().http_port == 9000
    assert read_settings().redis_url is None
    assert read_settings(http_port=1).http_port == 1


def test_settings_do_not_change_and_keep_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}INTERNAL_SECRET", "a secret of at least 32 characters")
    settings = read_settings()
    assert "a secret" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.http_port = 1


def test_every_setting_says_what_it_is_for() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
