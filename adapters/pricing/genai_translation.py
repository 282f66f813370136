"""From genai-prices' objects to our catalogue, for the bundled book and for its published data file alike.

Its tiers are cliffs (a request over the threshold is billed whole at the tier's price), as ours are, but
each price carries its own tiers; here they become tiers of all rates. Of date-conditional prices the one in
force on the given day is taken. Prices that change with the hour have no place in a table compiled at start:
the dearest hour is taken, which keeps every bound true, and the offering is tagged.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from genai_prices import types as genai

from adapters.pricing.amounts import ROUNDED_UP_TAG, exact
from adapters.pricing.providers import PROVIDERS, known_provider
from adapters.pricing.traits import seen_in_prices, traits_of, with_context
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable, Rates, Tier, Variant
from domain.catalog.tags import PREFIX_FLAG_TAG
from domain.errors import InvalidRequest

TIME_OF_DAY_TAG: Final = "time_of_day_prices"
"""Tag of an offering that is cheaper at some hours; the catalogue holds the dearest."""
DEPRECATED_TAG: Final = "deprecated"

_BUCKET_OF: Final = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_long",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "output_reasoning_mtok": "reasoning",
}
_SPARE_BUCKET_OF: Final = {
    "input_text_mtok": "input",
    "output_text_mtok": "output",
    "cache_write_5m_mtok": "cache_write",
}
"""Narrower keys that fill a bucket when its own key is absent."""
_PER_THOUSAND_REQUESTS: Final = "requests_kcount"

Prices = dict[str, Any]
"""A ModelPrice's own keys: each a Decimal or TieredPrices."""


def catalog_from(providers: Iterable[Any], on: date, *, source: str, version: str) -> Catalog:
    """The catalogue as it is on that day.

    Raises:
        InvalidRequest: a price that is none; the message names provider and model.
    """
    known = dict(PROVIDERS)
    offerings: dict[str, Offering] = {}
    for provider in providers:
        known.setdefault(provider.id, known_provider(provider.id, provider.name))
        for model in provider.models:
            try:
                offering = _offering(provider.id, model, on, source)
            except (ValueError, TypeError, AttributeError) as error:
                raise InvalidRequest(
                    f"{provider.id}/{model.id}: {error}", param=f"{provider.id}/{model.id}"
                ) from error
            offerings[offering.id] = offering
    return Catalog(providers=known, offerings=offerings, version=version)


def _offering(provider_id: str, model: Any, on: date, source: str) -> Offering:
    prices, tags = _price_table(model, on, source)
    traits = traits_of(provider_id, model.id)
    context = model.context_window if model.context_window is not None else traits.context_tokens
    if model.deprecated:
        tags.add(DEPRECATED_TAG)
    if traits.prefix_flag:
        tags.add(PREFIX_FLAG_TAG)
    maker = PROVIDERS.get(provider_id)
    return Offering(
        provider=provider_id,
        model=model.id,
        prices=prices,
        capabilities=with_context(traits.capabilities | seen_in_prices(prices), context),
        context_tokens=context,
        max_output_tokens=traits.max_output_tokens,
        quality=traits.quality,
        # Several regions mean a choice the operator makes; only a single one holds for every call.
        regions=maker.regions if maker and len(maker.regions) == 1 else frozenset(),
        compliance=maker.compliance if maker else frozenset(),
        tags=frozenset(tags),
        aliases=aliases_of(model.match, model.id),
        prefill=traits.prefill,
        version=traits.version,
        source=source,
    )


def _price_table(model: Any, on: date, source: str) -> tuple[PriceTable, set[str]]:
    standard, since, varies = _in_force(model.prices, on)
    tags = {TIME_OF_DAY_TAG} if varies else set()
    base, tiers = _rates(standard, tags)
    extras = tuple(
        (key, _nano(_base(value), tags))
        for key, value in sorted(standard.items())
        if key not in _BUCKET_OF and key not in _SPARE_BUCKET_OF and key != _PER_THOUSAND_REQUESTS
    )
    per_thousand = standard.get(_PER_THOUSAND_REQUESTS)
    table = PriceTable(
        base=base,
        tiers=tiers,
        per_request=0 if per_thousand is None else -(-_nano(_base(per_thousand), tags) // 1000),
        source=source,
        effective_from=None if since is None else since.isoformat(),
        variants=_variants(model.price_variants or (), standard, on, tags),
        extras=extras,
    )
    return table, tags


def _in_force(prices: Any, on: date) -> tuple[Prices, date | None, bool]:
    """The prices of that day, since when they hold, and whether they are the dearest of several hours."""
    if isinstance(prices, genai.ModelPrice):
        return _known(prices), None, False
    if not prices:
        return {}, None, False
    hourly: list[Prices] = []
    standard, since = _known(prices[0].prices), None
    for conditional in reversed(prices):
        constraint = conditional.constraint
        if isinstance(constraint, genai.TimeOfDateConstraint):
            hourly.append(_known(conditional.prices))
        elif constraint is None or constraint.start_date <= on:
            standard = _known(conditional.prices)
            since = None if constraint is None else constraint.start_date
            break
    dearest = max((standard, *hourly), key=_text_price)
    return dearest, since, bool(hourly)


def _variants(variants: Iterable[Any], standard: Prices, on: date, tags: set[str]) -> tuple[Variant, ...]:
    """Complete prices per condition. For one condition, the first variant that has a key decides it."""
    overrides: dict[str, Prices] = {}
    for variant in variants:
        constraint = variant.constraint
        if isinstance(constraint, genai.StartDateConstraint) and constraint.start_date > on:
            continue
        name = "&".join(f"{key}={value}" for key, value in sorted(variant.when.items()))
        chosen = overrides.setdefault(name, {})
        for key, value in _known(variant.prices).items():
            chosen.setdefault(key, value)
    found = []
    for name, changed in overrides.items():
        if changed:
            base, tiers = _rates({**standard, **changed}, tags)
            found.append(Variant(name=name, base=base, tiers=tiers))
    return tuple(found)


def _rates(prices: Prices, tags: set[str]) -> tuple[Rates, tuple[Tier, ...]]:
    buckets = {bucket: prices[key] for key, bucket in _SPARE_BUCKET_OF.items() if key in prices}
    buckets |= {bucket: prices[key] for key, bucket in _BUCKET_OF.items() if key in prices}
    base = Rates(**{bucket: _nano(_base(value), tags) for bucket, value in buckets.items()})
    thresholds = {
        tier.start
        for value in buckets.values()
        if isinstance(value, genai.TieredPrices)
        for tier in value.tiers
    }
    tiers = tuple(
        Tier(
            above_input_tokens=start,
            rates=Rates(**{bucket: _nano(_above(value, start), tags) for bucket, value in buckets.items()}),
        )
        for start in sorted(thresholds)
    )
    return base, tiers


def _known(prices: Any) -> Prices:
    return {
        key: value for key, value in vars(prices).items() if value is not None and not key.startswith("_")
    }


def _base(value: Any) -> Decimal:
    return value.base if isinstance(value, genai.TieredPrices) else value


def _above(value: Any, start: int) -> Decimal:
    """The price of a request just over a threshold that may be another bucket's."""
    if not isinstance(value, genai.TieredPrices):
        return Decimal(value)
    price = value.base
    for tier in value.tiers:
        if tier.start <= start:
            price = tier.price
    return price


def _text_price(prices: Prices) -> Decimal:
    zero = Decimal(0)
    return _base(prices.get("input_mtok", zero)) + _base(prices.get("output_mtok", zero))


def _nano(usd: Decimal, tags: set[str]) -> int:
    amount = exact(usd)
    if amount.rounded_up:
        tags.add(ROUNDED_UP_TAG)
    return amount.nano_usd


_DATE_TAIL: Final = re.compile(r"(\[-@\]|-|@)(\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\})$")
_ESCAPED: Final = re.compile(r"\\([^a-zA-Z0-9])")


def aliases_of(match: Any, model_id: str) -> tuple[str, ...]:
    """The names a match rule accepts: plain ones, and patterns with `*`.

    A trailing date is left out, since `domain.catalog.names` understands dates; a rule that cannot be said
    with `*` (a negative look-ahead) is widened, which is safe because exact names win over patterns.
    """
    return tuple(dict.fromkeys(a for a in _accepted(match) if a and a.casefold() != model_id.casefold()))


def _accepted(match: Any) -> Iterable[str]:
    match match:
        case genai.ClauseEquals():
            yield match.equals
        case genai.ClauseStartsWith():
            yield f"{match.starts_with}*"
        case genai.ClauseEndsWith():
            yield f"*{match.ends_with}"
        case genai.ClauseContains():
            yield f"*{match.contains}*"
        case genai.ClauseRegex():
            yield _without_regex(match.regex)
        case genai.ClauseOr():
            for clause in match.or_:
                yield from _accepted(clause)
        case genai.ClauseAnd():
            # All must hold: the first that says something is a superset of them together.
            yield next((name for clause in match.and_ for name in _accepted(clause) if name), "")
        case _:
            pass


def _without_regex(regex: str) -> str:
    """A plain name or pattern for the simple expressions the price book uses; "" for any other."""
    text = _DATE_TAIL.sub("", regex.removeprefix("^").removesuffix("$"))
    if text.endswith("\\d"):
        text = text.removesuffix("\\d") + "*"
    plain = _ESCAPED.sub("", text)
    if any(mark in plain.removesuffix("*") for mark in "\\([{?*+|^$"):
        return ""
    return _ESCAPED.sub(r"\1", text)
