"""The published data file of genai-prices: `data.json`, the same content as the bundled book but newer.

It is built into the package's own public types, so that both ways share one translation.
"""

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from genai_prices import types as genai

from adapters.pricing.amounts import decimal_of
from adapters.pricing.feed_reading import decode
from adapters.pricing.genai_translation import catalog_from
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest

FORMAT: Final = "genai-prices"

_CLAUSES: Final[dict[str, Callable[[Any], Any]]] = {
    "equals": lambda text: genai.ClauseEquals(equals=_text(text)),
    "starts_with": lambda text: genai.ClauseStartsWith(starts_with=_text(text)),
    "ends_with": lambda text: genai.ClauseEndsWith(ends_with=_text(text)),
    "contains": lambda text: genai.ClauseContains(contains=_text(text)),
    "regex": lambda text: genai.ClauseRegex(regex=_text(text)),
    "or": lambda clauses: genai.ClauseOr(or_=[_clause(clause) for clause in _list(clauses)]),
    "and": lambda clauses: genai.ClauseAnd(and_=[_clause(clause) for clause in _list(clauses)]),
}


def parse(data: bytes, *, on: date) -> Catalog:
    """The file's prices in force on one day. Raises InvalidRequest naming the entry that cannot be read."""
    document = decode(FORMAT, data)
    if not isinstance(document, list) or not document:
        raise InvalidRequest(f"{FORMAT}: must be a list of providers", param="data")
    providers = [_provider(index, raw) for index, raw in enumerate(document)]
    models = sum(len(provider.models) for provider in providers)
    version = f"{FORMAT} {models} models on {on.isoformat()}"
    return catalog_from(providers, on, source=FORMAT, version=version)


class _Unreadable(Exception):
    """What is wrong inside an entry; the entry's name is added where it is known."""


def _provider(index: int, raw: object) -> Any:
    entry = f"[{index}]"
    try:
        fields = _object(raw)
        entry = _text(fields.get("id"))
        models = _list(fields.get("models", []))
        name = _text(fields.get("name", entry))
    except _Unreadable as error:
        raise InvalidRequest(f"{FORMAT}: provider {entry}: {error}", param=entry) from error
    provider = genai.Provider(id=entry, name=name, api_pattern="")
    provider.models = [_model(entry, position, model) for position, model in enumerate(models)]
    return provider


def _model(provider_id: str, index: int, raw: object) -> Any:
    entry = f"{provider_id}[{index}]"
    try:
        fields = _object(raw)
        model_id = _text(fields.get("id"))
        entry = f"{provider_id}/{model_id}"
        context = fields.get("context_window")
        if context is not None and (type(context) is not int or context < 0):
            raise _Unreadable("context_window must be a whole number")
        return genai.ModelInfo(
            id=model_id,
            match=_clause(fields.get("match")),
            context_window=context,
            deprecated=bool(fields.get("deprecated")),
            prices=_prices(fields.get("prices")),
            price_variants=[_variant(variant) for variant in _list(fields.get("price_variants") or [])],
        )
    except (_Unreadable, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{FORMAT}: entry {entry!r}: {error}", param=entry) from error


def _prices(raw: object) -> Any:
    if isinstance(raw, list):
        return [
            genai.ConditionalPrice(
                constraint=_constraint(_object(conditional).get("constraint")),
                prices=_model_price(_object(conditional).get("prices")),
            )
            for conditional in raw
        ]
    return _model_price(raw)


def _variant(raw: object) -> Any:
    fields = _object(raw)
    return genai.PriceVariant(
        when={key: _text(value) for key, value in _object(fields.get("when")).items()},
        prices=_model_price(fields.get("prices")),
        constraint=_constraint(fields.get("constraint")),
    )


def _constraint(raw: object) -> Any:
    if raw is None:
        return None
    fields = _object(raw)
    if "start_date" in fields:
        return genai.StartDateConstraint(start_date=date.fromisoformat(_text(fields["start_date"])))
    if "start_time" in fields:
        return genai.TimeOfDateConstraint(
            start_time=time.fromisoformat(_text(fields["start_time"])),
            end_time=time.fromisoformat(_text(fields.get("end_time"))),
        )
    raise _Unreadable(f"unknown price constraint {sorted(fields)}")


def _model_price(raw: object) -> Any:
    return genai.ModelPrice(
        **{key: _price(value) for key, value in _object(raw).items() if value is not None}
    )


def _price(raw: object) -> Any:
    if not isinstance(raw, dict):
        return decimal_of(raw)
    tiers = []
    for tier in _list(raw.get("tiers")):
        start = _object(tier).get("start")
        if type(start) is not int or start < 0:
            raise _Unreadable("a tier's start must be a whole number")
        tiers.append(genai.Tier(start=start, price=decimal_of(tier.get("price"))))
    base: Decimal = decimal_of(raw.get("base"))
    return genai.TieredPrices(base=base, tiers=tiers)


def _clause(raw: object) -> Any:
    fields = _object(raw)
    kind = next(iter(fields), "")
    if kind not in _CLAUSES or len(fields) != 1:
        raise _Unreadable(f"unknown match rule {sorted(fields)}")
    return _CLAUSES[kind](fields[kind])


def _object(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _Unreadable("must be an object")
    return raw


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise _Unreadable("must be a list")
    return raw


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw:
        raise _Unreadable("must be text that is not empty")
    return raw
