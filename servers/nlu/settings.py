"""Settings of the NLU component, `SALAMBOT_NLU_…`."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from servers.kit.settings import PREFIX
from servers.kit.text.masking import Policy


class NLUSettings(BaseSettings):
    """What an operator may change about reading."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}NLU_", frozen=True, extra="ignore", env_ignore_empty=True)

    masking: Policy = Field(
        default=Policy.MASK,
        description="What happens to personal data in `masked_text`, where the tenant's `masking` does not say.",
    )
    masking_key: SecretStr | None = Field(
        default=None, description="Secret for the policy `hash`; without it, `hash` masks like `mask`."
    )
    least_confidence: float = Field(
        default=0.5, ge=0, le=1, description="Intents under this probability are `unknown`."
    )
