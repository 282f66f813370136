"""`vault`: where the master keys of stored credentials are, and when they turn."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr

from domain.vault.credential import NAME_SHAPE
from entrypoints.config.sections import AbsolutePath, Seconds, Section, Url, Word


class KmsSettings(Section):
    """AWS KMS. Who we are there comes from the surroundings, as AWS's own tools find it."""

    key_ids: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="ARNs or aliases of symmetric keys: the first seals, all of them open.",
    )
    region: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]{1,64}$", description="Unset: as AWS's own tools find it."
    )
    endpoint_url: Url | None = Field(default=None, description="Of a private endpoint; unset: AWS's own.")
    timeout_s: Seconds = Field(default=10.0, description="Of each call.")


class TransitSettings(Section):
    """The transit engine of HashiCorp Vault or OpenBao."""

    url: Url | None = Field(default=None, description="Such as https://vault.internal:8200.")
    key_name: str = Field(
        default="interchange",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="The key of the engine that wraps the vault's keys.",
    )
    mount: str = Field(
        default="transit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$",
        description="Where the engine is mounted.",
    )
    namespace: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$",
        description="Of an installation that has several; unset: none.",
    )
    token: SecretStr | None = Field(default=None, description="Such as ${VAULT_TOKEN}.")
    token_file: AbsolutePath | None = Field(
        default=None, description="Where an agent keeps the token fresh; read anew for each call."
    )
    timeout_s: Seconds = Field(default=10.0, description="Of each call.")


class VaultSettings(Section):
    """Credentials that are stored here, under master keys that are not in the database."""

    keys: Annotated[Literal["auto", "file", "environment", "aws_kms", "transit"], Word] = Field(
        default="auto",
        description="Where the master keys are: a `file` that only its owner may read, the `environment` "
        "(INTERCHANGE_VAULT_KEYS), AWS KMS, or the transit engine of HashiCorp Vault. `auto`: the "
        "environment where that variable is set, else the file.",
    )
    key_file: AbsolutePath | None = Field(
        default=None,
        description="Unset: `vault.keys` in the data directory. The embedded profile makes it when it is "
        "missing; production never does.",
    )
    aws_kms: KmsSettings = Field(
        default=KmsSettings(), description="With `keys: aws_kms`: which keys, and where."
    )
    transit: TransitSettings = Field(
        default=TransitSettings(), description="With `keys: transit`: which key, where, and what proves us."
    )
    rotate_every_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Master keys turn by themselves so often, where their source makes keys; elsewhere data "
        "keys do. Unset: only when somebody asks.",
    )
    check_every_s: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="How often the signed lists of credentials are compared with what is stored.",
    )


class CredentialReference(Section):
    """In the place of a secret: the credential of that name in the vault, in the operator's tenant."""

    credential: str = Field(pattern=f"^{NAME_SHAPE.pattern}$")

    def get_secret_value(self) -> str:
        """Nobody may ask before it was opened. Raises LookupError."""
        raise LookupError(f"credential {self.credential!r} was not opened")


REFERENCE_KEY: Final = "credential"


def _secret_or_reference(value: Any) -> Any:
    if isinstance(value, dict):
        name = value.get(REFERENCE_KEY)
        if set(value) != {REFERENCE_KEY} or not isinstance(name, str) or not NAME_SHAPE.fullmatch(name):
            raise ValueError("must be text, or a credential of the vault: `{credential: <name>}`")
        return CredentialReference(credential=name)
    if isinstance(value, str | SecretStr | CredentialReference):
        return value
    raise ValueError("must be text, or a credential of the vault: `{credential: <name>}`")


StoredSecret = Annotated[SecretStr | CredentialReference, BeforeValidator(_secret_or_reference)]
"""A secret as text, or by its name in the vault."""
