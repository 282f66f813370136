"""The simulated provider's own bill, by its own arithmetic: what Interchange's ledger is checked against.

Prices are decimal dollars per million tokens, sums exact decimals, each request rounded up once to a
nano-dollar. Nothing here is shared with the product's pricing.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator.conversation import Tokens

BATCH_PERCENT = 50
"""What batches cost of the usual price."""
_NANO_USD_PER_TOKEN = Decimal(1000)
"""A dollar per million tokens is a thousand nano-dollars per token."""
_MILLION = 1_000_000


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dollars per million tokens, as text or number. What is not given costs as plain input or output."""

    input_usd_per_mtok: Decimal = Decimal(0)
    output_usd_per_mtok: Decimal = Decimal(0)
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    cache_write_long_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    input_image_usd_per_mtok: Decimal | None = None
    input_audio_usd_per_mtok: Decimal | None = None
    output_image_usd_per_mtok: Decimal | None = None
    output_audio_usd_per_mtok: Decimal | None = None
    usd_per_image: Decimal = Decimal(0)
    usd_per_audio_minute: Decimal = Decimal(0)
    usd_per_million_characters: Decimal = Decimal(0)
    usd_per_search: Decimal = Decimal(0)


def price_from(wanted: Any) -> Price:
    """A price from JSON; floats are read through their shortest decimal text."""
    if not isinstance(wanted, dict):
        raise msgspec.ValidationError("a price is an object")
    texts = {name: None if value is None else str(value) for name, value in wanted.items()}
    return msgspec.convert(texts, Price)


def cost_nano_usd(price: Price, tokens: Tokens, *, percent: int = 100) -> int:
    """What these tokens cost, at so many percent of the price."""

    def rate(special: Decimal | None, plain: Decimal) -> Decimal:
        return plain if special is None else special

    whole_in, whole_out = price.input_usd_per_mtok, price.output_usd_per_mtok
    write = rate(price.cache_write_usd_per_mtok, whole_in)
    plain = tokens.input - tokens.cached - tokens.cache_write - tokens.cache_write_long
    plain -= tokens.seen + tokens.heard
    dollars = plain * whole_in
    dollars += tokens.cached * rate(price.cached_input_usd_per_mtok, whole_in)
    dollars += tokens.cache_write * write
    dollars += tokens.cache_write_long * rate(price.cache_write_long_usd_per_mtok, write)
    dollars += tokens.seen * rate(price.input_image_usd_per_mtok, whole_in)
    dollars += tokens.heard * rate(price.input_audio_usd_per_mtok, whole_in)
    dollars += tokens.drawn * rate(price.output_image_usd_per_mtok, whole_out)
    dollars += tokens.sounded * rate(price.output_audio_usd_per_mtok, whole_out)
    dollars += tokens.pictures * price.usd_per_image * _MILLION
    dollars += tokens.sound_ms * price.usd_per_audio_minute * _MILLION / 60_000
    dollars += tokens.characters * price.usd_per_million_characters
    dollars += tokens.searches * price.usd_per_search * _MILLION
    dollars += (tokens.output - tokens.reasoning - tokens.drawn - tokens.sounded) * whole_out
    dollars += tokens.reasoning * rate(price.reasoning_usd_per_mtok, whole_out)
    nano_usd = dollars * _NANO_USD_PER_TOKEN * percent / 100
    return int(nano_usd.to_integral_value(rounding=ROUND_CEILING))


class _Line:
    """One model's sums of one kind of request."""

    __slots__ = ("cost_nano_usd", "requests", "sums", "unpriced")

    def __init__(self) -> None:
        self.requests = 0
        self.sums = Tokens()
        self.cost_nano_usd = 0
        self.unpriced = 0

    def add(self, tokens: Tokens, price: Price | None, percent: int) -> int:
        self.requests += 1
        self.sums = Tokens(*(mine + more for mine, more in zip(self.sums, tokens, strict=True)))
        if price is None:
            self.unpriced += 1
            return 0
        cost = cost_nano_usd(price, tokens, percent=percent)
        self.cost_nano_usd += cost
        return cost

    def shown(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "input_tokens": self.sums.input,
            "output_tokens": self.sums.output,
            "cached_tokens": self.sums.cached,
            "cache_write_tokens": self.sums.cache_write,
            "cache_write_long_tokens": self.sums.cache_write_long,
            "reasoning_tokens": self.sums.reasoning,
            "cost_nano_usd": None if self.unpriced else self.cost_nano_usd,
        }


class Charge(NamedTuple):
    """One request on the bill. `caller` is what its header `x-sim-caller` said; a cost without price is 0."""

    provider: str
    model: str
    caller: str
    told: bool
    cost_nano_usd: int


class Bill:
    """What is charged: `answered` for answers whose usage was told, `interrupted` for what was produced
    but cut off by a fault or a leaving caller before the usage was told.

    With `cut_counts_in_full` the latter cost as much as if they had been told to their end: providers that
    go on for nobody exist.
    """

    def __init__(self) -> None:
        self.cut_counts_in_full = False
        self._follower: Callable[[Charge], None] | None = None
        self._prices: dict[str, Price] = {}
        self._lines: dict[tuple[str, str, bool], _Line] = {}

    def set_prices(self, prices: dict[str, Price]) -> None:
        """Prices by `provider/model`, `model` or `*`; later answers are charged by them."""
        self._prices = dict(prices)

    @property
    def followed(self) -> bool:
        """Whether somebody hears of every charge."""
        return self._follower is not None

    def follow(self, follower: Callable[[Charge], None]) -> None:
        """Calls the follower with every charge from now on."""
        self._follower = follower

    def charge(
        self,
        provider: str,
        model: str,
        tokens: Tokens,
        *,
        told: bool = True,
        percent: int = 100,
        caller: str = "",
    ) -> None:
        """Adds one request, at so many percent of its price."""
        line = self._lines.get((provider, model, told))
        if line is None:
            line = self._lines[(provider, model, told)] = _Line()
        cost = line.add(tokens, self._price(provider, model), percent)
        if self._follower is not None:
            self._follower(Charge(provider, model, caller, told, cost))

    def _price(self, provider: str, model: str) -> Price | None:
        prices = self._prices
        if not prices:
            return None
        return prices.get(f"{provider}/{model}") or prices.get(model) or prices.get("*")

    def clear(self) -> None:
        """Starts a new bill; prices stay."""
        self._lines.clear()

    def shown(self) -> dict[str, Any]:
        """The bill as JSON: totals, and a line per provider and model. A cost without price is null."""
        lines = []
        for provider, model in sorted({(provider, model) for provider, model, _ in self._lines}):
            told, cut = self._lines.get((provider, model, True)), self._lines.get((provider, model, False))
            lines.append(
                {
                    "provider": provider,
                    "model": model,
                    "answered": (told or _Line()).shown(),
                    "interrupted": (cut or _Line()).shown(),
                }
            )
        return {"answered": self._total(told=True), "interrupted": self._total(told=False), "models": lines}

    def _total(self, *, told: bool) -> dict[str, Any]:
        total = _Line()
        for (_, _, kind), line in self._lines.items():
            if kind is told:
                total.requests += line.requests
                total.sums = Tokens(*(mine + more for mine, more in zip(total.sums, line.sums, strict=True)))
                total.cost_nano_usd += line.cost_nano_usd
                total.unpriced += line.unpriced
        return total.shown()
