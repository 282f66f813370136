"""A catalogue as plain data and back, without loss: what files, stores and exports have in common.

Version 1. Money stays integer nano-dollars. Unknown (`None`) and empty fields are left out, so an absent
price means unknown, never 0. Unknown keys are refused: a newer document must not lose prices silently.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import BUCKETS, PriceTable, Rates, Tier, Variant
from domain.errors import InvalidRequest
from domain.llm.capabilities import (
    NO_CAPABILITY,
    Capability,
    UnknownCapability,
    capability_names,
    parse_capability,
)

FORMAT: Final = "interchange.catalog"
FORMAT_VERSION: Final = 1

Document = dict[str, Any]


def to_document(catalog: Catalog) -> Document:
    """The catalogue as dicts, lists, text, integers and floats, in a fixed order."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": catalog.version,
        "providers": [_provider_out(catalog.providers[key]) for key in sorted(catalog.providers)],
        "offerings": [offering_to_document(catalog.offerings[key]) for key in sorted(catalog.offerings)],
    }


def from_document(document: object) -> Catalog:
    """The catalogue in a document made by `to_document`.

    Raises:
        InvalidRequest: another format or version, or a malformed entry; `param` is its path.
    """
    top = _Reader(document, "$")
    if top.text("format", "") != FORMAT:
        raise InvalidRequest(f"not a catalogue export: format must be {FORMAT!r}", param="format")
    if top.raw("format_version") != FORMAT_VERSION:
        raise InvalidRequest(
            f"catalogue export of version {top.raw('format_version')!r}; this version reads {FORMAT_VERSION}",
            param="format_version",
        )
    top.refuse_unknown({"format", "format_version", "version", "providers", "offerings"})
    providers: dict[str, CatalogProvider] = {}
    for reader in top.readers("providers"):
        provider = _provider_in(reader)
        if provider.id in providers:
            raise reader.wrong(f"provider {provider.id!r} appears twice")
        providers[provider.id] = provider
    offerings: dict[str, Offering] = {}
    for reader in top.readers("offerings"):
        offering = _offering_in(reader)
        if offering.id in offerings:
            raise reader.wrong(f"offering {offering.id!r} appears twice")
        offerings[offering.id] = offering
    return Catalog(providers=providers, offerings=offerings, version=top.text("version", "unknown"))


def offering_to_document(offering: Offering) -> Document:
    """One offering as plain data."""
    document: Document = {"provider": offering.provider, "model": offering.model, "source": offering.source}
    # Text is what a model can do when nothing else is said, so "nothing at all" has to be said.
    document["capabilities"] = list(capability_names(offering.capabilities))
    for name in _OPTIONAL_FIELDS:
        value = getattr(offering, name)
        if value is not None:
            document[name] = value
    for name in _SET_FIELDS:
        if values := getattr(offering, name):
            document[name] = sorted(values)
    if offering.aliases:
        document["aliases"] = list(offering.aliases)
    if offering.prefill:
        document["prefill"] = True
    document["prices"] = prices_to_document(offering.prices)
    return document


def offering_from_document(document: object) -> Offering:
    """Raises InvalidRequest; `param` is the path of the field."""
    return _offering_in(_Reader(document, "offering"))


def prices_to_document(prices: PriceTable) -> Document:
    """A price table as plain data, all money in nano-dollars (per million tokens for rates)."""
    document: Document = {"source": prices.source, **_rates_out("base", prices.base)}
    if prices.tiers:
        document["tiers"] = _tiers_out(prices.tiers)
    if prices.per_request:
        document["per_request"] = prices.per_request
    if prices.batch_multiplier_percent is not None:
        document["batch_multiplier_percent"] = prices.batch_multiplier_percent
    if prices.effective_from is not None:
        document["effective_from"] = prices.effective_from
    if prices.variants:
        document["variants"] = [
            {
                "name": v.name,
                **_rates_out("base", v.base),
                **({"tiers": _tiers_out(v.tiers)} if v.tiers else {}),
            }
            for v in prices.variants
        ]
    if prices.extras:
        document["extras"] = [[unit, nano_usd] for unit, nano_usd in prices.extras]
    if prices.units:
        document["units"] = [[unit, nano_usd] for unit, nano_usd in prices.units]
    return document


def prices_from_document(document: object) -> PriceTable:
    """Raises InvalidRequest; `param` is the path of the field."""
    return _prices_in(_Reader(document, "prices"))


_OPTIONAL_FIELDS: Final = ("context_tokens", "max_output_tokens", "quality", "version", "deprecated_on")
_SET_FIELDS: Final = ("regions", "compliance", "tags")
_OFFERING_KEYS: Final = {
    "provider",
    "model",
    "source",
    "capabilities",
    "aliases",
    "prefill",
    "prices",
    *_OPTIONAL_FIELDS,
    *_SET_FIELDS,
}
_PROVIDER_KEYS: Final = {
    "id",
    "name",
    "wire",
    "base_url",
    "portkey_slug",
    "key_variables",
    "regions",
    "compliance",
    "price_fallbacks",
    "aliases",
    "tags",
}


def _rates_out(key: str, rates: Rates) -> Document:
    known = {bucket: value for bucket in BUCKETS if (value := getattr(rates, bucket)) is not None}
    return {key: known} if known else {}


def _tiers_out(tiers: Iterable[Tier]) -> list[Document]:
    return [
        {"above_input_tokens": tier.above_input_tokens, **_rates_out("rates", tier.rates)} for tier in tiers
    ]


def _provider_out(provider: CatalogProvider) -> Document:
    document: Document = {"id": provider.id, "name": provider.name, "wire": provider.wire}
    for name in ("base_url", "portkey_slug"):
        if (value := getattr(provider, name)) is not None:
            document[name] = value
    for name in ("key_variables", "price_fallbacks", "aliases"):
        if values := getattr(provider, name):
            document[name] = list(values)
    for name in ("regions", "compliance", "tags"):
        if values := getattr(provider, name):
            document[name] = sorted(values)
    return document


def _provider_in(reader: "_Reader") -> CatalogProvider:
    reader.refuse_unknown(_PROVIDER_KEYS)
    return CatalogProvider(
        id=reader.text("id"),
        name=reader.text("name"),
        wire=reader.text("wire"),
        base_url=reader.optional_text("base_url"),
        portkey_slug=reader.optional_text("portkey_slug"),
        key_variables=tuple(reader.texts("key_variables")),
        regions=frozenset(reader.texts("regions")),
        compliance=frozenset(reader.texts("compliance")),
        price_fallbacks=tuple(reader.texts("price_fallbacks")),
        aliases=tuple(reader.texts("aliases")),
        tags=frozenset(reader.texts("tags")),
    )


def _offering_in(reader: "_Reader") -> Offering:
    reader.refuse_unknown(_OFFERING_KEYS)
    return Offering(
        provider=reader.text("provider"),
        model=reader.text("model"),
        prices=_prices_in(reader.inner("prices")),
        capabilities=_capabilities_in(reader),
        context_tokens=reader.optional_count("context_tokens"),
        max_output_tokens=reader.optional_count("max_output_tokens"),
        quality=reader.optional_share("quality"),
        regions=frozenset(reader.texts("regions")),
        compliance=frozenset(reader.texts("compliance")),
        tags=frozenset(reader.texts("tags")),
        aliases=tuple(reader.texts("aliases")),
        prefill=reader.flag("prefill"),
        version=reader.optional_text("version"),
        deprecated_on=reader.optional_text("deprecated_on"),
        source=reader.text("source", "unknown"),
    )


def _capabilities_in(reader: "_Reader") -> Capability:
    if reader.raw("capabilities") is None:
        return Capability.TEXT
    found = NO_CAPABILITY
    for name in reader.texts("capabilities"):
        try:
            found |= parse_capability(name)
        except UnknownCapability as error:
            raise reader.wrong(str(error), "capabilities") from error
    return found


def _prices_in(reader: "_Reader") -> PriceTable:
    reader.refuse_unknown(
        {
            "source",
            "base",
            "tiers",
            "per_request",
            "batch_multiplier_percent",
            "effective_from",
            "variants",
            "extras",
            "units",
        }
    )
    return PriceTable(
        base=_rates_in(reader.inner("base")),
        tiers=_tiers_in(reader),
        per_request=reader.optional_count("per_request") or 0,
        batch_multiplier_percent=reader.optional_count("batch_multiplier_percent"),
        source=reader.text("source", "unknown"),
        effective_from=reader.optional_text("effective_from"),
        variants=tuple(_variant_in(inner) for inner in reader.readers("variants")),
        extras=_amounts_in(reader, "extras"),
        units=_amounts_in(reader, "units"),
    )


def _variant_in(reader: "_Reader") -> Variant:
    reader.refuse_unknown({"name", "base", "tiers"})
    return Variant(name=reader.text("name"), base=_rates_in(reader.inner("base")), tiers=_tiers_in(reader))


def _amounts_in(reader: "_Reader", key: str) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for index, entry in enumerate(reader.items(key)):
        match entry:
            case [str() as unit, int() as nano_usd] if nano_usd >= 0 and not isinstance(nano_usd, bool):
                found.append((unit, nano_usd))
            case _:
                raise reader.wrong("must be [unit, nano-dollars]", f"{key}[{index}]")
    return tuple(found)


def _tiers_in(reader: "_Reader") -> tuple[Tier, ...]:
    tiers = []
    for inner in reader.readers("tiers"):
        inner.refuse_unknown({"above_input_tokens", "rates"})
        threshold = inner.optional_count("above_input_tokens")
        if threshold is None:
            raise inner.wrong("is required", "above_input_tokens")
        tiers.append(Tier(above_input_tokens=threshold, rates=_rates_in(inner.inner("rates"))))
    if any(low.above_input_tokens >= high.above_input_tokens for low, high in pairwise(tiers)):
        raise reader.wrong("must rise by above_input_tokens", "tiers")
    return tuple(tiers)


def _rates_in(reader: "_Reader") -> Rates:
    reader.refuse_unknown(set(BUCKETS))
    return Rates(**{bucket: reader.optional_count(bucket) for bucket in BUCKETS})


class _Reader:
    """Typed reads from one dict of the document; every complaint carries the path of the field."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, Mapping):
            raise InvalidRequest(f"{path}: must be an object", param=path)
        self._values: Mapping[str, Any] = values
        self._path = path

    def wrong(self, what: str, key: str | None = None) -> InvalidRequest:
        path = self._path if key is None else f"{self._path}.{key}"
        return InvalidRequest(f"{path}: {what}", param=path)

    def refuse_unknown(self, allowed: set[str]) -> None:
        if unknown := sorted(str(key) for key in self._values if key not in allowed):
            raise self.wrong(f"unknown field {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}")

    def raw(self, key: str) -> Any:
        return self._values.get(key)

    def inner(self, key: str) -> "_Reader":
        return _Reader(self._values.get(key, {}), f"{self._path}.{key}")

    def items(self, key: str) -> list[Any]:
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.wrong("must be a list", key)
        return list(value)

    def readers(self, key: str) -> Iterable["_Reader"]:
        for index, item in enumerate(self.items(key)):
            yield _Reader(item, f"{self._path}.{key}[{index}]")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.wrong("must be text that is not empty", key)
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self._values.get(key) is None else self.text(key, "")

    def texts(self, key: str) -> list[str]:
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong("must be a list of texts", key)
        return values

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong("must be true or false", key)
        return value

    def optional_count(self, key: str) -> int | None:
        must = "must be a whole number from 0 to 2**63 - 1"
        value = self._number(key, int, lambda value: 0 <= value < 2**63, must)
        return None if value is None else int(value)

    def optional_share(self, key: str) -> float | None:
        value = self._number(key, int | float, lambda value: 0 <= value <= 1, "must be a number from 0 to 1")
        return None if value is None else float(value)

    def _number(self, key: str, kind: Any, holds: Callable[[Any], bool], must: str) -> Any:
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, kind) or not holds(value):
            raise self.wrong(must, key)
        return value
