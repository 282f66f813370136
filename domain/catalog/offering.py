"""An offering: one model at one provider, with what it can do, where, and for how much."""

from dataclasses import dataclass, field

from domain.catalog.prices import UNKNOWN_PRICES, PriceTable
from domain.llm.capabilities import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What the catalogue knows; `None` is unknown, not zero and not unlimited.

    `model` is the name the provider itself uses. `aliases` are other names callers may use for it;
    one with `*` stands for every name of that shape.
    `quality` is in [0, 1]. `prefill` says that a trailing assistant message is continued, which is what
    finishing a cut answer needs. Dates are ISO `YYYY-MM-DD`.
    """

    provider: str
    model: str
    prices: PriceTable = UNKNOWN_PRICES
    capabilities: Capability = Capability.TEXT
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    quality: float | None = None
    regions: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    aliases: tuple[str, ...] = ()
    prefill: bool = False
    version: str | None = None
    deprecated_on: str | None = None
    source: str = "unknown"

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogProvider:
    """A provider the catalogue knows: how it is reached and named, before anyone configures it.

    `wire` is the shape it speaks (`openai`, `anthropic`, `gemini`, …). `portkey_slug` is its name at the
    Portkey gateway, None where Portkey does not know it. `key_variables` are the environment variables
    its own tools read a key from, in order. `price_fallbacks` are providers whose list prices hold for
    models this provider resells and publishes no price for, in order (Azure sells at OpenAI's prices).
    `aliases` are other names of the provider itself, such as `bedrock` for `aws`. `tags` hold for all its
    offerings, such as what its server does not take (`domain.catalog.tags`).
    """

    id: str
    name: str
    wire: str
    base_url: str | None = None
    portkey_slug: str | None = None
    key_variables: tuple[str, ...] = ()
    regions: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()
    price_fallbacks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything known from one moment: providers and offerings by id. Replaced whole, never edited."""

    providers: dict[str, CatalogProvider] = field(default_factory=dict)
    offerings: dict[str, Offering] = field(default_factory=dict)
    version: str = "empty"
