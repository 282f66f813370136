"""`audit`: how long the trail is kept, and where its checkpoints go."""

import re
from typing import Final

from pydantic import Field, SecretStr, field_validator

from entrypoints.config.sections import AbsolutePath, Section

_WEB_ADDRESS: Final = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?")


class AuditSettings(Section):
    """The trail itself cannot be turned off."""

    retention_days: int | None = Field(
        default=400,
        ge=1,
        le=36_500,
        description="Entries older than this are removed behind a signed anchor; null: never.",
    )
    checkpoint_every_s: float = Field(
        default=60.0,
        ge=1.0,
        le=86_400.0,
        description="A signed checkpoint at least this often, while there are new entries. What happens to "
        "the trail after the last checkpoint that left the machine, nobody can prove.",
    )
    checkpoint_every_entries: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Or as soon as so many entries wait for one."
    )
    checkpoint_log: bool | None = Field(
        default=None,
        description="One line of standard output per checkpoint, as JSON with the signed text, for "
        "installations whose output is collected elsewhere; null: with the production profile.",
    )
    checkpoint_file: AbsolutePath | None = Field(
        default=None,
        description="Append checkpoints to this file, which should lie on another machine's disk.",
    )
    checkpoint_webhook_url: SecretStr | None = Field(
        default=None, description="POST each checkpoint to this address."
    )

    @field_validator("checkpoint_webhook_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _WEB_ADDRESS.fullmatch(url.get_secret_value()):
            raise ValueError("must be an http:// or https:// address without a user")
        return url
