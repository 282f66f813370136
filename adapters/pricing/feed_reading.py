"""What all feeds have in common: exact JSON, reads that name the entry, offerings from what was read."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.pricing.amounts import ROUNDED_UP_TAG, TOKENS_PER_MTOK, BadPrice, decimal_of, exact
from adapters.pricing.providers import known_provider
from adapters.pricing.traits import seen_in_prices, traits_of, with_context
from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import PriceTable
from domain.catalog.tags import PREFIX_FLAG_TAG
from domain.errors import InvalidRequest
from domain.llm.capabilities import NO_CAPABILITY, Capability

FEED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Feeds over 64 MiB are refused unread; the largest known one is about 2 MiB."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def decode(feed: str, data: bytes) -> Any:
    """The JSON value with floats as Decimal, so that no digit of a price is lost. Raises InvalidRequest."""
    if len(data) > FEED_BYTES_MAX:
        raise InvalidRequest(f"{feed}: over {FEED_BYTES_MAX} bytes", param="data")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"{feed}: not JSON: {error}", param="data") from error


class Entry:
    """One entry of a feed. Every complaint names the feed, the entry and the field.

    `tags` collects what reading found worth saying about the entry.
    """

    __slots__ = ("_feed", "_name", "_values", "tags")

    def __init__(self, feed: str, name: str, values: object, tags: set[str] | None = None) -> None:
        if not isinstance(values, dict):
            raise InvalidRequest(f"{feed}: entry {name!r} must be an object", param=name)
        self._feed = feed
        self._name = name
        self._values: dict[str, Any] = values
        self.tags: set[str] = set() if tags is None else tags

    def wrong(self, key: str, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"{self._feed}: entry {self._name!r}: {key} {what}", param=f"{self._name}.{key}"
        )

    def renamed(self, name: str) -> "Entry":
        """The same entry under the name that complaints should use."""
        return Entry(self._feed, name, self._values, self.tags)

    def keys(self) -> Iterator[str]:
        return iter(self._values)

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def listed(self, key: str) -> bool:
        """Whether there is a list under `key` that is not empty."""
        value = self._values.get(key)
        return isinstance(value, list) and bool(value)

    def inner(self, key: str) -> "Entry":
        """The object under `key`; an absent one reads as empty."""
        value = self._values.get(key)
        return Entry(self._feed, f"{self._name}.{key}", {} if value is None else value, self.tags)

    def inners(self, key: str) -> list["Entry"]:
        values = self._values.get(key)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.wrong(key, "must be a list")
        return [
            Entry(self._feed, f"{self._name}.{key}[{i}]", value, self.tags) for i, value in enumerate(values)
        ]

    def children(self) -> Iterator[tuple[str, "Entry"]]:
        for key, value in self._values.items():
            yield key, Entry(self._feed, key, value)

    def per_token(self, key: str) -> int | None:
        """Dollars per token as nano-dollars per million tokens."""
        return self._amount(key, TOKENS_PER_MTOK)

    def per_mtok(self, key: str) -> int | None:
        """Dollars per million tokens as nano-dollars per million tokens."""
        return self._amount(key, Decimal(1))

    def per_unit(self, key: str) -> int | None:
        """Dollars per whatever the key says as nano-dollars for the same."""
        return self._amount(key, Decimal(1))

    def amount(self, key: str, factor: Decimal) -> int | None:
        """Dollars times `factor` as nano-dollars; None where the key says nothing."""
        return self._amount(key, factor)

    def _amount(self, key: str, factor: Decimal) -> int | None:
        value = self._values.get(key)
        if value is None:
            return None
        try:
            amount = exact(decimal_of(value) * factor)
        except BadPrice as error:
            raise self.wrong(key, str(error)) from error
        if amount.rounded_up:
            self.tags.add(ROUNDED_UP_TAG)
        return amount.nano_usd

    def count(self, key: str) -> int | None:
        """A number of tokens. Feeds write whole numbers in several ways; 0 means that nobody knew."""
        value = self._values.get(key)
        if value is None or value == "":
            return None
        try:
            number = decimal_of(value)
        except BadPrice as error:
            raise self.wrong(key, "must be a whole number") from error
        if not number.is_finite() or number != number.to_integral_value() or number < 0:
            raise self.wrong(key, "must be a whole number")
        return int(number) or None

    def first_number(self, key: str) -> int | None:
        """The first item of a list of token counts, None when there is none. 0 counts here."""
        values = self._values.get(key)
        if not isinstance(values, list) or not values:
            return None
        return Entry(self._feed, self._name, {key: values[0]}).count(key) or 0

    def text(self, key: str, default: str = "") -> str:
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, "must be text")
        return value

    def flag(self, key: str) -> bool | None:
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        return tuple(value)


def offering_from(
    entry: Entry,
    provider: str,
    model: str,
    prices: PriceTable,
    *,
    source: str,
    kind: Capability | None = None,
    can: Capability = NO_CAPABILITY,
    cannot: Capability = NO_CAPABILITY,
    context_tokens: int | None = None,
    max_output_tokens: int | None = None,
    aliases: tuple[str, ...] = (),
    prefill: bool | None = None,
    version: str | None = None,
    deprecated_on: str | None = None,
) -> Offering:
    """An offering from what a feed says, completed by what the name tells.

    `kind` is the feed's word on the sort of model; where it contradicts the name, what the name tells goes.
    `can` and `cannot` are the feed's own words on single abilities and win over both.
    """
    traits = traits_of(provider, model)
    context = traits.context_tokens if context_tokens is None else context_tokens
    told = _told(traits.capabilities, kind)
    capabilities = (told | can | seen_in_prices(prices)) & ~(cannot & ~can)
    if traits.prefix_flag:
        entry.tags.add(PREFIX_FLAG_TAG)
    return Offering(
        provider=provider,
        model=model,
        prices=prices,
        capabilities=with_context(capabilities, context),
        context_tokens=context,
        max_output_tokens=traits.max_output_tokens if max_output_tokens is None else max_output_tokens,
        quality=traits.quality,
        tags=frozenset(entry.tags),
        aliases=aliases,
        prefill=traits.prefill if prefill is None else prefill,
        version=version or traits.version,
        deprecated_on=deprecated_on,
        source=source,
    )


def _told(by_name: Capability, kind: Capability | None) -> Capability:
    if kind is None:
        return by_name
    both_chat = kind & by_name & Capability.TEXT
    return kind | (by_name if both_chat else by_name & _NOT_A_KIND)


_NOT_A_KIND: Final = Capability.CODE | Capability.FINE_TUNED


def catalog_of(
    offerings: list[Offering], *, version: str, providers: dict[str, CatalogProvider] | None = None
) -> Catalog:
    """A feed's catalogue: the first entry of an id wins, and every provider it mentions is named."""
    found: dict[str, Offering] = {}
    for offering in offerings:
        found.setdefault(offering.id, offering)
    named = dict(providers or {})
    for offering in found.values():
        named.setdefault(offering.provider, known_provider(offering.provider))
    return Catalog(providers=named, offerings=found, version=version)
