"""LiteLLM's cost map: `model_prices_and_context_window.json`, dollars per token.

Two habits of that file are not taken over. A chat model of a hosted provider at 0 in and 0 out is taken as
unpriced, because the map also writes 0 for "not known", and an unknown price must never count as free.
Sized image entries such as `1024-x-1024/dall-e-2` are left out: they are prices of one model, not models.
"""

import re
from typing import Final

from adapters.pricing.feed_reading import Entry, catalog_of, decode, offering_from
from adapters.pricing.litellm_units import USED_KEYS, sized_prices, unit_prices, with_sizes
from adapters.pricing.providers import canonical_id
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import BATCH, BUCKETS, PriceTable, Rates, Tier, Variant
from domain.errors import InvalidRequest
from domain.llm.capabilities import NO_CAPABILITY, Capability
from domain.llm.units import UnitCount

FORMAT: Final = "litellm"
UNBELIEVED_ZERO_TAG: Final = "zero_price_not_believed"

_TEXT_KINDS: Final = Capability.TEXT | Capability.STREAMING
_KIND_OF_MODE: Final[dict[str, Capability]] = {
    "chat": _TEXT_KINDS,
    "completion": _TEXT_KINDS,
    "responses": _TEXT_KINDS,
    "embedding": Capability.EMBEDDINGS,
    "rerank": Capability.RERANK,
    "image_generation": Capability.IMAGE,
    "image_edit": Capability.IMAGE | Capability.VISION,
    "audio_transcription": Capability.AUDIO_IN,
    "audio_speech": Capability.AUDIO_OUT,
    "realtime": _TEXT_KINDS | Capability.AUDIO_IN | Capability.AUDIO_OUT,
    "moderation": NO_CAPABILITY,
    "ocr": Capability.VISION,
    "video_generation": NO_CAPABILITY,
    "search": NO_CAPABILITY,
}
_ABILITY_OF_FLAG: Final[dict[str, Capability]] = {
    "supports_vision": Capability.VISION,
    "supports_audio_input": Capability.AUDIO_IN,
    "supports_audio_output": Capability.AUDIO_OUT,
    "supports_function_calling": Capability.FUNCTION_CALLING,
    "supports_response_schema": Capability.STRUCTURED_OUTPUT,
    "supports_reasoning": Capability.REASONING,
    "supports_native_streaming": Capability.STREAMING,
}
_KEY_OF_BUCKET: Final = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_long": "cache_creation_input_token_cost_above_1hr",
    "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
    "reasoning": "output_cost_per_reasoning_token",
}
_VARIANT_OF_SUFFIX: Final = {
    "_batches": BATCH,
    "_priority": "service_tier=priority",
    "_flex": "service_tier=flex",
}
_TIER_KEY: Final = re.compile(r"_above_(\d+)k_tokens$")
_PER_UNIT_KEY: Final = re.compile(
    r"^(input|output)_cost_per_(image|character|second|minute|pixel|video_per_second|page)$|^ocr_cost_per_page$"
)
_SIZED_IMAGE: Final = re.compile(r"^(.*/)?(\d+-x-\d+|max-x-max|hd|standard|low|medium|high)/")
_LOCAL_PROVIDERS: Final = frozenset(
    {"ollama", "ollama-chat", "vllm", "hosted-vllm", "lm-studio", "llamafile"}
)
_FAMILY_PREFIXES: Final = ("vertex-ai", "azure", "bedrock", "fireworks", "cohere", "text-completion")


def parse(data: bytes) -> Catalog:
    """The cost map as a catalogue. Raises InvalidRequest naming the entry that cannot be read."""
    document = decode(FORMAT, data)
    if not isinstance(document, dict) or not document:
        raise InvalidRequest(f"{FORMAT}: must be an object of models by name", param="data")
    entries = list(Entry(FORMAT, "$", document).children())
    sizes = sized_prices(entries)
    offerings = [
        _offering(key, entry, sizes.get(key, ()))
        for key, entry in entries
        if key != "sample_spec" and not _SIZED_IMAGE.match(key)
    ]
    return catalog_of(offerings, version=f"{FORMAT} {len(offerings)} models")


def _offering(key: str, entry: Entry, sizes: tuple[UnitCount, ...]) -> Offering:
    provider = _provider_of(key, entry)
    mode = entry.text("mode")
    prices = _prices(entry, mode, sizes)
    if _zero_is_unknown(provider, key, prices, mode):
        entry.tags.add(UNBELIEVED_ZERO_TAG)
        prices = PriceTable(source=FORMAT, extras=prices.extras, units=prices.units)
    can = cannot = NO_CAPABILITY
    for flag, ability in _ABILITY_OF_FLAG.items():
        match entry.flag(flag):
            case True:
                can |= ability
            case False:
                cannot |= ability
            case None:
                pass
    return offering_from(
        entry,
        provider,
        _model_of(key, provider),
        prices,
        source=FORMAT,
        kind=_KIND_OF_MODE.get(mode),
        can=can,
        cannot=cannot,
        context_tokens=entry.count("max_input_tokens"),
        max_output_tokens=entry.count("max_output_tokens")
        if mode in ("chat", "completion", "responses")
        else None,
        prefill=entry.flag("supports_assistant_prefill"),
        deprecated_on=entry.text("deprecation_date") or None,
    )


def _provider_of(key: str, entry: Entry) -> str:
    named = entry.text("litellm_provider") or key.partition("/")[0]
    spelled = named.casefold().replace("_", "-")
    for prefix in _FAMILY_PREFIXES:
        if spelled.startswith(prefix):
            return canonical_id("openai" if prefix == "text-completion" else prefix)
    return canonical_id(spelled)


def _model_of(key: str, provider: str) -> str:
    """`together_ai/meta/llama` -> `meta/llama`: the prefix is LiteLLM's, not the provider's."""
    prefix, slash, rest = key.partition("/")
    if slash and rest:
        spelled = prefix.casefold().replace("_", "-")
        family = next((name for name in _FAMILY_PREFIXES if spelled.startswith(name)), spelled)
        if canonical_id(family) == provider:
            return rest
    return key


def _prices(entry: Entry, mode: str, sizes: tuple[UnitCount, ...]) -> PriceTable:
    rates = _rates(entry)
    units = with_sizes(unit_prices(entry, mode, rates), sizes, rates)
    thresholds = sorted({int(found[1]) for key in entry.keys() if (found := _TIER_KEY.search(key))})  # noqa: SIM118
    tiers = tuple(
        Tier(above_input_tokens=thousands * 1000, rates=above)
        for thousands in thresholds
        # The map lists thresholds with null prices: such a tier is the base.
        if (above := _rates(entry, f"_above_{thousands}k_tokens", rates)) != rates
    )
    if not tiers:
        rates, tiers = _ranged_tiers(entry, rates)
    variants = tuple(
        variant
        for suffix, name in _VARIANT_OF_SUFFIX.items()
        if (variant := _variant(entry, suffix, name, rates, tiers)) is not None
    )
    extras = tuple(
        (key, nano_usd)
        for key in sorted(entry.keys())
        if _PER_UNIT_KEY.match(key) and not (units and key in USED_KEYS) and (nano_usd := entry.per_unit(key))
    )
    asked = 0 if mode == "rerank" else entry.per_unit("input_cost_per_query")
    return PriceTable(
        base=rates,
        tiers=tiers,
        per_request=asked or entry.per_unit("input_cost_per_request") or 0,
        source=FORMAT,
        variants=variants,
        extras=extras,
        units=units,
    )


def _variant(entry: Entry, suffix: str, name: str, base: Rates, tiers: tuple[Tier, ...]) -> Variant | None:
    """The prices under one suffix, None when there are none.

    A tier that the map does not price for this variant costs the dearer of tier and variant: too much rather
    than too little.
    """
    changed = _rates(entry, suffix, base)
    if changed == base:
        return None
    tiered = tuple(
        Tier(
            above_input_tokens=tier.above_input_tokens,
            rates=_rates(
                entry,
                f"_above_{tier.above_input_tokens // 1000}k_tokens{suffix}",
                _dearest(tier.rates, changed),
            ),
        )
        for tier in tiers
    )
    return Variant(name=name, base=changed, tiers=tiered)


def _rates(entry: Entry, suffix: str = "", inherited: Rates | None = None) -> Rates:
    """Each bucket's price; with a suffix, what is not said there costs what it costs in `inherited`."""
    found: dict[str, int | None] = {}
    for bucket, key in _KEY_OF_BUCKET.items():
        said = entry.per_token(f"{key}{suffix}")
        found[bucket] = getattr(inherited, bucket) if said is None and inherited is not None else said
    return Rates(**found)


def _ranged_tiers(entry: Entry, base: Rates) -> tuple[Rates, tuple[Tier, ...]]:
    """`tiered_pricing`: [{"range": [from, to], ...prices}], as some publishers price by input length.

    The range from 0 is the base. Parts of one range that differ by output length become one, at the dearest.
    """
    by_start: dict[int, Rates] = {}
    for part in entry.inners("tiered_pricing"):
        if "max_results_range" in part.keys():  # noqa: SIM118 - of a search, by how much it finds
            continue
        start = _range_start(part)
        rates = _rates(part, inherited=base)
        by_start[start] = _dearest(by_start[start], rates) if start in by_start else rates
    base = by_start.pop(0, base)
    return base, tuple(Tier(above_input_tokens=start, rates=by_start[start]) for start in sorted(by_start))


def _range_start(part: Entry) -> int:
    start = part.first_number("range")
    if start is None:
        raise part.wrong("range", "must be [from, to]")
    return start


def _dearest(one: Rates, other: Rates) -> Rates:
    found: dict[str, int | None] = {}
    for bucket in BUCKETS:
        known = [rate for rate in (getattr(one, bucket), getattr(other, bucket)) if rate is not None]
        found[bucket] = max(known, default=None)
    return Rates(**found)


def _zero_is_unknown(provider: str, key: str, prices: PriceTable, mode: str) -> bool:
    told_free = provider in _LOCAL_PROVIDERS or key.endswith((":free", "-free"))
    is_text = mode in ("", "chat", "completion", "responses")
    return is_text and not told_free and prices.base.input == 0 and prices.base.output == 0
