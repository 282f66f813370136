"""OpenRouter's model list: `GET /api/v1/models`, prices as text in dollars per token.

Its zeros mean two things. A `prompt` and `completion` of 0 is a free model (its id ends in `:free`, or the
price is published as 0); a 0 beside a real price, such as `internal_reasoning: 0`, means that there is no
separate charge, so the plain price holds. A negative price marks a router that costs what it picks: unknown.
"""

from typing import Final

from adapters.pricing.feed_reading import Entry, catalog_of, decode, offering_from
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable, Rates
from domain.errors import InvalidRequest
from domain.llm.capabilities import NO_CAPABILITY, Capability

FORMAT: Final = "openrouter"
PROVIDER: Final = "openrouter"

_KEY_OF_SPECIAL_BUCKET: Final = {
    "cached_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "cache_write_long": "input_cache_write_1h",
    "input_audio": "audio",
    "input_image": "image_token",
    "output_audio": "audio_output",
    "reasoning": "internal_reasoning",
}
_PER_UNIT_KEYS: Final = ("image", "image_output", "web_search")
UNREAD_OVERRIDES_TAG: Final = "price_overrides_not_read"
"""Tag of an offering with further, conditional prices that the public format does not define."""
_ABILITY_OF_PARAMETER: Final = {
    "tools": Capability.FUNCTION_CALLING,
    "structured_outputs": Capability.STRUCTURED_OUTPUT,
    "reasoning": Capability.REASONING,
}
_ABILITY_OF_INPUT: Final = {"image": Capability.VISION, "audio": Capability.AUDIO_IN}
_ABILITY_OF_OUTPUT: Final = {"image": Capability.IMAGE, "audio": Capability.AUDIO_OUT}
_EMBEDDINGS_OUTPUTS: Final = frozenset({"embeddings", "embedding"})


def parse(data: bytes) -> Catalog:
    """The list as a catalogue of the provider `openrouter`. Raises InvalidRequest naming the entry."""
    document = decode(FORMAT, data)
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise InvalidRequest(f"{FORMAT}: must be an object with a list under 'data'", param="data")
    offerings = []
    for index, values in enumerate(document["data"]):
        name = values.get("id") if isinstance(values, dict) else None
        offerings.append(
            _offering(Entry(FORMAT, name if isinstance(name, str) else f"data[{index}]", values))
        )
    return catalog_of(offerings, version=f"{FORMAT} {len(offerings)} models")


def _offering(entry: Entry) -> Offering:
    model = entry.text("id")
    if not model:
        raise entry.wrong("id", "is required")
    can, cannot = _abilities(entry)
    top = entry.inner("top_provider")
    slug = entry.text("canonical_slug")
    outputs = entry.inner("architecture").texts("output_modalities")
    return offering_from(
        entry,
        PROVIDER,
        model,
        _prices(entry),
        source=FORMAT,
        kind=Capability.EMBEDDINGS if _EMBEDDINGS_OUTPUTS.intersection(outputs) else None,
        can=can,
        cannot=cannot,
        context_tokens=entry.count("context_length") or top.count("context_length"),
        max_output_tokens=top.count("max_completion_tokens"),
        aliases=(slug,) if slug and slug != model else (),
        # OpenRouter forwards a trailing assistant message, but who then answers is not fixed.
        prefill=False,
        deprecated_on=(entry.text("expiration_date") or None),
    )


def _abilities(entry: Entry) -> tuple[Capability, Capability]:
    """What the entry says the model can, and what it says by silence that it cannot."""
    architecture = entry.inner("architecture")
    can = cannot = NO_CAPABILITY
    if entry.has("supported_parameters"):
        parameters = entry.texts("supported_parameters")
        for name, ability in _ABILITY_OF_PARAMETER.items():
            can, cannot = (can | ability, cannot) if name in parameters else (can, cannot | ability)
    for key, abilities in (
        ("input_modalities", _ABILITY_OF_INPUT),
        ("output_modalities", _ABILITY_OF_OUTPUT),
    ):
        if architecture.has(key):
            modalities = architecture.texts(key)
            for name, ability in abilities.items():
                can, cannot = (can | ability, cannot) if name in modalities else (can, cannot | ability)
    return can, cannot


def _prices(entry: Entry) -> PriceTable:
    pricing = entry.inner("pricing")
    if any(pricing.text(key, "0").startswith("-") for key in ("prompt", "completion")):
        return PriceTable(source=FORMAT)
    if pricing.listed("overrides"):
        entry.tags.add(UNREAD_OVERRIDES_TAG)
    special = {bucket: pricing.per_token(key) or None for bucket, key in _KEY_OF_SPECIAL_BUCKET.items()}
    return PriceTable(
        base=Rates(input=pricing.per_token("prompt"), output=pricing.per_token("completion"), **special),
        per_request=pricing.per_unit("request") or 0,
        source=FORMAT,
        extras=tuple(
            (f"{key}_each", nano_usd) for key in _PER_UNIT_KEYS if (nano_usd := pricing.per_unit(key))
        ),
    )
