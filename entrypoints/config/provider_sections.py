"""`providers`: who may answer, how they are reached, and what the catalogue does not know about them."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, field_validator, model_validator

from domain.catalog.prices import PriceTable, Rates, Tier
from domain.catalog.tags import ResponsesSupport
from domain.llm.capabilities import NAMES, NO_CAPABILITY, Capability, parse_capability
from domain.money import parse_usd
from domain.routing.target import Via
from entrypoints.config.auth_sections import AuthSettings
from entrypoints.config.price_sections import Percent, ReservedSettings, VolumeDiscountSettings
from entrypoints.config.sections import BreakerSettings, HealthSettings, Section, Share, Url, Word
from entrypoints.config.unit_sections import UnitPriceSettings
from entrypoints.config.vault_section import CredentialReference, StoredSecret


def _known_capability(name: str) -> str:
    parse_capability(name)
    return name


UsdPerMtok = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000, description="US dollars per million tokens, exact."),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0}),
]
CapabilityName = Annotated[
    str, AfterValidator(_known_capability), WithJsonSchema({"type": "string", "enum": list(NAMES)})
]
Label = Annotated[str, Field(min_length=1, max_length=128)]
RegionName = Annotated[str, Word, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class RateSettings(Section):
    """Prices of the token buckets. A special bucket without a price costs the plain one."""

    input_usd_per_mtok: UsdPerMtok | None = None
    output_usd_per_mtok: UsdPerMtok | None = None
    cached_input_usd_per_mtok: UsdPerMtok | None = None
    cache_write_usd_per_mtok: UsdPerMtok | None = None
    cache_write_long_usd_per_mtok: UsdPerMtok | None = None
    input_audio_usd_per_mtok: UsdPerMtok | None = None
    input_image_usd_per_mtok: UsdPerMtok | None = None
    output_audio_usd_per_mtok: UsdPerMtok | None = None
    output_image_usd_per_mtok: UsdPerMtok | None = None
    reasoning_usd_per_mtok: UsdPerMtok | None = None

    def rates(self) -> Rates:
        """In nano-dollars per million tokens, a finer price rounded up."""
        return Rates(
            input=_nano(self.input_usd_per_mtok),
            output=_nano(self.output_usd_per_mtok),
            cached_read=_nano(self.cached_input_usd_per_mtok),
            cache_write=_nano(self.cache_write_usd_per_mtok),
            cache_write_long=_nano(self.cache_write_long_usd_per_mtok),
            input_audio=_nano(self.input_audio_usd_per_mtok),
            input_image=_nano(self.input_image_usd_per_mtok),
            output_audio=_nano(self.output_audio_usd_per_mtok),
            output_image=_nano(self.output_image_usd_per_mtok),
            reasoning=_nano(self.reasoning_usd_per_mtok),
        )


def _nano(price: Decimal | None) -> int | None:
    return None if price is None else parse_usd(price)


class TierSettings(RateSettings):
    """Prices of a whole request whose input is longer than `above_input_tokens`."""

    above_input_tokens: int = Field(ge=1)


class ModelSettings(RateSettings):
    """One model at one provider: what the catalogue does not know, or what shall override it.

    What is left out comes from the catalogue where it knows the model. `model` is the provider's own
    name when it differs from the key, such as the name of a deployment.
    """

    model: Label | None = None
    base_model: Label | None = Field(
        default=None,
        description="The catalogue's name of what stands behind a name of your own. Unset: `model`, "
        "then the key.",
    )
    per_request_usd: Decimal | None = Field(default=None, ge=0, le=1_000)
    units: UnitPriceSettings | None = None
    tiers: tuple[TierSettings, ...] = Field(default=(), max_length=16)
    batch_multiplier_percent: int | None = Field(default=None, ge=0, le=100)
    context_tokens: int | None = Field(default=None, ge=1)
    max_output_tokens: int | None = Field(default=None, ge=1)
    quality: Share | None = None
    capabilities: tuple[CapabilityName, ...] | None = None
    regions: tuple[RegionName, ...] | None = None
    compliance: tuple[Label, ...] | None = None
    tags: tuple[Label, ...] | None = None
    aliases: tuple[Label, ...] | None = None
    prefill: bool | None = None
    version: Label | None = None
    deprecated_on: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")

    @property
    def capability_mask(self) -> Capability | None:
        """The declared capabilities as bits; None: not declared."""
        if self.capabilities is None:
            return None
        mask = NO_CAPABILITY
        for name in self.capabilities:
            mask |= parse_capability(name)
        return mask

    def prices(self) -> PriceTable | None:
        """The declared prices with source `config`; None when no price is declared at all."""
        rates = self.rates()
        units = () if self.units is None else self.units.rates()
        if rates == Rates() and self.per_request_usd is None and not self.tiers and not units:
            return None
        tiers = sorted(self.tiers, key=lambda tier: tier.above_input_tokens)
        return PriceTable(
            base=rates,
            tiers=tuple(Tier(above_input_tokens=t.above_input_tokens, rates=t.rates()) for t in tiers),
            per_request=0 if self.per_request_usd is None else parse_usd(self.per_request_usd),
            batch_multiplier_percent=self.batch_multiplier_percent,
            units=units,
            source="config",
        )


def check_header_value(key: SecretStr | CredentialReference, words: str) -> None:
    """Raises ValueError for a key that no header can carry; one in the vault is looked at when it is
    opened."""
    if isinstance(key, CredentialReference):
        return
    if not key.get_secret_value().isprintable():
        raise ValueError(f"{words} a line break or another control character")


class ProviderKey(Section):
    """One of several keys of a provider. `rpm` and `tpm` are the provider's own limits per minute."""

    key: StoredSecret
    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="What the key is called in status, usage and metrics. Unset: `key1`, `key2`, by place.",
    )
    account: Label | None = Field(
        default=None,
        description="Keys with different accounts do not share prompt caches or encrypted reasoning. Unset: "
        "all keys of the provider belong to one.",
    )
    weight: float = Field(default=1.0, gt=0, le=1_000_000)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)


class ProviderSettings(Section):
    """A configured provider. `kind` is a wire or a catalogue provider's id; left out, the section's name.

    `via` is the way calls take: `auto` goes through Portkey, and directly when that is down or would lose
    a field of the request.
    """

    kind: str = Field(default="", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$|^$")
    base_url: Url | None = None
    api_key: StoredSecret | None = Field(
        default=None, description="The key, or `{credential: <name>}`: one that is kept in the vault."
    )
    keys: tuple[ProviderKey, ...] = Field(default=(), max_length=1000)
    via: Annotated[Via, Word] = Via.AUTO
    responses: Annotated[ResponsesSupport, Word] | None = Field(
        default=None,
        description="What the provider does with requests of the Responses API: `native` answers and keeps "
        "them, `stateless` answers and keeps nothing, `translated` is asked in its chat. Unset: as known of "
        "its kind; a server that turns out to have no such endpoint is asked in chat.",
    )
    region: RegionName | None = None
    compliance: tuple[Label, ...] = ()
    tags: tuple[Label, ...] = ()
    headers: dict[str, StoredSecret] = Field(
        default_factory=dict,
        description="Sent with every call; a value may be a credential of the vault: `{credential: NAME}`.",
    )
    auth: AuthSettings | None = Field(
        default=None, description="A token or signature in place of a key; see docs/providers.md."
    )
    api_version: Label | None = Field(
        default=None, description="Azure: a dated version asks each deployment at its own path."
    )
    project: Label | None = Field(default=None, description="Vertex AI: the Google Cloud project.")
    location: Label | None = Field(
        default=None, description="Vertex AI: where models are asked, such as europe-west4, eu or global."
    )
    batch_api: Annotated[Literal["openai", "anthropic", "none"], Word] | None = Field(
        default=None,
        description="The batch API the provider offers. Unset: the vendor's own where `kind` is openai or "
        "anthropic and no `base_url` is given, else none.",
    )
    honours_idempotency_keys: bool = Field(
        default=False,
        description="Whether the provider carries out and bills requests with one Idempotency-Key header "
        "once. A batch then repeats there what a crash left in doubt; elsewhere the doubt is recorded.",
    )
    models: dict[Label, ModelSettings] = Field(default_factory=dict)
    discount_percent: Percent = Decimal(0)
    volume_discounts: tuple[VolumeDiscountSettings, ...] = Field(default=(), max_length=32)
    reserved: ReservedSettings | None = None
    breaker: BreakerSettings | None = None
    health: HealthSettings | None = None
    tls_min: Literal["1.2", "1.3"] = Field(
        default="1.3", description="The oldest TLS this provider may speak; 1.2 for servers that lack 1.3."
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(
        cls, headers: dict[str, SecretStr | CredentialReference]
    ) -> dict[str, SecretStr | CredentialReference]:
        for name, value in headers.items():
            if not name or not all(c.isalnum() or c in "-_" for c in name) or not name.isascii():
                raise ValueError(f"not a header name: {name!r}")
            if isinstance(value, CredentialReference):
                continue  # looked at when it is opened
            if any(c in value.get_secret_value() for c in "\r\n\0"):
                raise ValueError(f"the value of {name!r} contains a line break")
        return headers

    @field_validator("keys")
    @classmethod
    def _keys_fit_a_header(cls, keys: tuple[ProviderKey, ...]) -> tuple[ProviderKey, ...]:
        for key in keys:
            check_header_value(key.key, "a key contains")
            if not isinstance(key.key, CredentialReference) and not key.key.get_secret_value():
                raise ValueError("a key is empty")
        return keys

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(
        cls, key: SecretStr | CredentialReference | None
    ) -> SecretStr | CredentialReference | None:
        if key is not None:
            check_header_value(key, "contains")
        return key

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if self.api_key is not None and self.keys:
            raise ValueError("give either api_key or keys, not both")
        names = [key.name or f"key{place}" for place, key in enumerate(self.keys, start=1)]
        if len(set(names)) < len(names) or "caller" in names:
            raise ValueError("keys need names of their own, other than `caller`")
        if self.auth is not None and self.first_key is not None:
            raise ValueError("give either a key or auth, not both")
        return self

    @property
    def options(self) -> dict[str, str]:
        """Facts that only one family of providers knows, by their names here."""
        named = {"api_version": self.api_version, "project": self.project, "location": self.location}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def first_key(self) -> SecretStr | CredentialReference | None:
        """`api_key`, or the first of `keys`; None: the provider wants none."""
        if self.api_key is not None:
            return self.api_key
        return self.keys[0].key if self.keys else None
