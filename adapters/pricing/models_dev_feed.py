"""models.dev: `api.json`, providers with their models, dollars per million tokens."""

from typing import Final

from adapters.pricing.feed_reading import Entry, catalog_of, decode, offering_from
from adapters.pricing.providers import PROVIDERS, canonical_id
from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import BUCKETS, PriceTable, Rates, Tier
from domain.errors import InvalidRequest
from domain.llm.capabilities import NO_CAPABILITY, Capability

FORMAT: Final = "models.dev"

_KEY_OF_BUCKET: Final = {
    "input": "input",
    "output": "output",
    "cached_read": "cache_read",
    "cache_write": "cache_write",
    "input_audio": "input_audio",
    "output_audio": "output_audio",
    "reasoning": "reasoning",
}
_PLAIN_BUCKETS: Final = ("input", "output")
UNREAD_TIER_TAG: Final = "price_tier_not_read"
"""Tag of an offering with a price tier that depends on something else than the length of the input."""
_LONG_PROMPT_KEY: Final = "context_over_200k"
_LONG_PROMPT_TOKENS: Final = 200_000
_ABILITY_OF_FLAG: Final = {
    "tool_call": Capability.FUNCTION_CALLING,
    "structured_output": Capability.STRUCTURED_OUTPUT,
    "reasoning": Capability.REASONING,
}
_ABILITY_OF_MODALITY: Final = {
    "input": {"image": Capability.VISION, "audio": Capability.AUDIO_IN},
    "output": {"image": Capability.IMAGE, "audio": Capability.AUDIO_OUT},
}
_WIRE_OF_PACKAGE: Final = {
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/google": "gemini",
    "@ai-sdk/google-vertex": "vertex",
    "@ai-sdk/azure": "azure",
    "@ai-sdk/amazon-bedrock": "bedrock",
    "@ai-sdk/cohere": "cohere",
}


def parse(data: bytes) -> Catalog:
    """The file as a catalogue. Raises InvalidRequest naming the entry that cannot be read."""
    document = decode(FORMAT, data)
    if not isinstance(document, dict) or not document:
        raise InvalidRequest(f"{FORMAT}: must be an object of providers by id", param="data")
    providers: dict[str, CatalogProvider] = {}
    offerings: list[Offering] = []
    for key, entry in Entry(FORMAT, "$", document).children():
        provider = _provider(key, entry)
        providers.setdefault(provider.id, provider)
        for model_key, values in entry.inner("models").children():
            model = values.text("id", model_key)
            offerings.append(_offering(provider.id, model, values.renamed(f"{key}/{model_key}")))
    return catalog_of(offerings, version=f"{FORMAT} {len(offerings)} models", providers=providers)


def _provider(key: str, entry: Entry) -> CatalogProvider:
    provider_id = canonical_id(entry.text("id", key))
    if known := PROVIDERS.get(provider_id):
        return known
    return CatalogProvider(
        id=provider_id,
        name=entry.text("name", provider_id),
        wire=_WIRE_OF_PACKAGE.get(entry.text("npm"), "openai"),
        base_url=entry.text("api") or None,
        key_variables=entry.texts("env"),
    )


def _offering(provider_id: str, model: str, entry: Entry) -> Offering:
    can, cannot = _abilities(entry)
    limit = entry.inner("limit")
    status = entry.text("status")
    if status:
        entry.tags.add(status)
    return offering_from(
        entry,
        provider_id,
        model,
        _prices(entry.inner("cost")),
        source=FORMAT,
        can=can,
        cannot=cannot,
        context_tokens=limit.count("context"),
        max_output_tokens=limit.count("output"),
        version=_iso_day(entry.text("release_date")),
    )


def _abilities(entry: Entry) -> tuple[Capability, Capability]:
    can = cannot = NO_CAPABILITY
    for flag, ability in _ABILITY_OF_FLAG.items():
        match entry.flag(flag):
            case True:
                can |= ability
            case False:
                cannot |= ability
            case None:
                pass
    modalities = entry.inner("modalities")
    for direction, abilities in _ABILITY_OF_MODALITY.items():
        if modalities.has(direction):
            listed = modalities.texts(direction)
            for name, ability in abilities.items():
                can, cannot = (can | ability, cannot) if name in listed else (can, cannot | ability)
    return can, cannot


def _prices(cost: Entry) -> PriceTable:
    base = _rates(cost, Rates())
    tiers = []
    for part in cost.inners("tiers"):
        bound = part.inner("tier")
        start = bound.count("size")
        if bound.text("type") == "context" and start is not None:
            tiers.append(Tier(above_input_tokens=start, rates=_rates(part, base)))
        else:
            cost.tags.add(UNREAD_TIER_TAG)
    if not tiers and cost.has(_LONG_PROMPT_KEY):
        long_prompt = _rates(cost.inner(_LONG_PROMPT_KEY), base)
        tiers.append(Tier(above_input_tokens=_LONG_PROMPT_TOKENS, rates=long_prompt))
    tiers.sort(key=lambda tier: tier.above_input_tokens)
    return PriceTable(base=base, tiers=tuple(tiers), source=FORMAT)


def _rates(cost: Entry, inherited: Rates) -> Rates:
    """Each bucket's price. A special bucket at 0 means no separate charge: its plain price holds."""
    found = {bucket: getattr(inherited, bucket) for bucket in BUCKETS}
    for bucket, key in _KEY_OF_BUCKET.items():
        said = cost.per_mtok(key)
        if said is not None:
            found[bucket] = said if said or bucket in _PLAIN_BUCKETS else None
    return Rates(**found)


def _iso_day(text: str) -> str | None:
    """Release dates may be only a month; a version is kept only when it is a whole day."""
    return text if len(text) == len("2026-01-31") else None
