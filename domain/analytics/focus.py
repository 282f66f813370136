"""Roll-ups as rows of a FOCUS data set (FinOps Open Cost and Usage Specification 1.2).

One row is what one key used of one model of one provider on one route in one period. What only invoices
know (list prices, discounts by name, commitments) is left empty; list, contracted and effective cost are
the billed one, because a row keeps the price that held and no other. Columns of our own begin with `x_`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from domain.analytics.rollup import DAY_US, HOUR_US, Rollup, RollupSums
from domain.analytics.table import Column, ColumnKind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT, _TIME, _USD, _INTEGER = ColumnKind.TEXT, ColumnKind.TIME, ColumnKind.USD, ColumnKind.INTEGER
NOBODY: Final = "none"
"""The provider of what was billed although nobody answered: failed attempts only."""

FOCUS_COLUMNS: Final = (
    Column("BilledCost", _USD),
    Column("BillingAccountId", _TEXT),
    Column("BillingAccountName", _TEXT),
    Column("BillingCurrency", _TEXT),
    Column("BillingPeriodEnd", _TIME),
    Column("BillingPeriodStart", _TIME),
    Column("ChargeCategory", _TEXT),
    Column("ChargeClass", _TEXT),
    Column("ChargeDescription", _TEXT),
    Column("ChargeFrequency", _TEXT),
    Column("ChargePeriodEnd", _TIME),
    Column("ChargePeriodStart", _TIME),
    Column("ConsumedQuantity", _INTEGER),
    Column("ConsumedUnit", _TEXT),
    Column("ContractedCost", _USD),
    Column("ContractedUnitPrice", _USD),
    Column("EffectiveCost", _USD),
    Column("InvoiceIssuerName", _TEXT),
    Column("ListCost", _USD),
    Column("ListUnitPrice", _USD),
    Column("PricingCategory", _TEXT),
    Column("PricingQuantity", _INTEGER),
    Column("PricingUnit", _TEXT),
    Column("ProviderName", _TEXT),
    Column("PublisherName", _TEXT),
    Column("RegionId", _TEXT),
    Column("RegionName", _TEXT),
    Column("ResourceId", _TEXT),
    Column("ResourceName", _TEXT),
    Column("ResourceType", _TEXT),
    Column("ServiceCategory", _TEXT),
    Column("ServiceName", _TEXT),
    Column("ServiceSubcategory", _TEXT),
    Column("SkuId", _TEXT),
    Column("SkuPriceId", _TEXT),
    Column("SubAccountId", _TEXT),
    Column("SubAccountName", _TEXT),
    Column("Tags", _TEXT),
    Column("x_Requests", _INTEGER),
    Column("x_UnpricedRequests", _INTEGER),
    Column("x_EstimatedRequests", _INTEGER),
    Column("x_InputTokens", _INTEGER),
    Column("x_OutputTokens", _INTEGER),
    Column("x_CachedReadTokens", _INTEGER),
    Column("x_CacheWriteTokens", _INTEGER),
    Column("x_ReasoningTokens", _INTEGER),
    Column("x_CacheHits", _INTEGER),
    Column("x_CacheSavedCost", _USD),
    Column("x_PromptCacheSavedCost", _USD),
)


class ChargeKey(NamedTuple):
    """What one row is about, within one tenant and period."""

    provider: str
    model: str
    route: str
    key_id: str
    team: str
    project: str
    cost_center: str
    operation: str


class Period(NamedTuple):
    """UTC epoch microseconds, from inclusive, to exclusive."""

    start_us: int
    end_us: int


def period_of(hour_us: int, bucket: str) -> Period:
    """The hour, day or month this hour is in. Raises ValueError for another bucket."""
    if bucket == "hour":
        return Period(hour_us, hour_us + HOUR_US)
    if bucket == "day":
        start = hour_us // DAY_US * DAY_US
        return Period(start, start + DAY_US)
    if bucket != "month":
        raise ValueError(f"bucket {bucket[:40]!r} is unknown; allowed: hour, day, month")
    first = (_EPOCH + timedelta(microseconds=hour_us)).replace(day=1, hour=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(_us(first), _us(following))


class Charges:
    """Adds roll-ups of one tenant up, in the order of time, and gives away periods that are over.

    Holds the groups of one period: as many as there are keys, routes and models in use together.
    """

    def __init__(self, tenant_id: str, bucket: str) -> None:
        self._tenant_id = tenant_id
        self._bucket = bucket
        self._period: Period | None = None
        self._groups: dict[ChargeKey, RollupSums] = {}

    def add(self, rollups: Iterable[Rollup]) -> list[tuple[object, ...]]:
        """Takes further roll-ups; rows of the periods that are complete by that."""
        rows: list[tuple[object, ...]] = []
        for key, sums in rollups:
            period = period_of(key.hour_us, self._bucket)
            if period != self._period:
                rows += self.rest()
                self._period = period
            charge = ChargeKey(*(getattr(key, name) for name in ChargeKey._fields))
            known = self._groups.get(charge)
            self._groups[charge] = sums if known is None else _added(known, sums)
        return rows

    def rest(self) -> list[tuple[object, ...]]:
        """Rows of the period that is still held, and forgets it."""
        period, groups = self._period, self._groups
        self._period, self._groups = None, {}
        if period is None:
            return []
        return [
            _row(self._tenant_id, period, key, sums)
            for key, sums in sorted(groups.items())
            # Nobody was called and nobody will bill: a refusal is no charge.
            if key.provider or sums.attempt_cost_nano_usd
        ]


def _added(one: RollupSums, other: RollupSums) -> RollupSums:
    return RollupSums(*(a + b for a, b in zip(one, other, strict=True)))


def _row(tenant_id: str, period: Period, key: ChargeKey, sums: RollupSums) -> tuple[object, ...]:
    provider, model = key.provider or NOBODY, key.model or NOBODY
    billing = period_of(period.start_us, "month")
    cost = sums.attempt_cost_nano_usd
    tokens = sums.input_tokens + sums.output_tokens
    tags = {
        name: value for name, value in key._asdict().items() if value and name not in ("provider", "model")
    }
    values: dict[str, object] = {
        "BilledCost": cost,
        "BillingAccountId": provider,
        "BillingAccountName": provider,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": billing.end_us,
        "BillingPeriodStart": billing.start_us,
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{key.operation or 'request'} answered by {provider}/{model}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": period.end_us,
        "ChargePeriodStart": period.start_us,
        "ConsumedQuantity": tokens,
        "ConsumedUnit": "Tokens",
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "PricingCategory": "Standard",
        "PricingQuantity": tokens,
        "PricingUnit": "Tokens",
        "ProviderName": provider,
        "PublisherName": provider,
        "ResourceId": key.route or None,
        "ResourceName": key.route or None,
        "ResourceType": "Route" if key.route else None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{provider}/{model}",
        "SubAccountId": tenant_id,
        "SubAccountName": tenant_id,
        "Tags": _tags({name: value for name, value in tags.items() if value}),
        "x_Requests": sums.requests,
        "x_UnpricedRequests": sums.unpriced_requests,
        "x_EstimatedRequests": sums.estimated_requests,
        "x_InputTokens": sums.input_tokens,
        "x_OutputTokens": sums.output_tokens,
        "x_CachedReadTokens": sums.cached_read_tokens,
        "x_CacheWriteTokens": sums.cache_write_tokens,
        "x_ReasoningTokens": sums.reasoning_tokens,
        "x_CacheHits": sums.cache_hits,
        "x_CacheSavedCost": sums.saved_nano_usd,
        "x_PromptCacheSavedCost": sums.prompt_cache_saved_nano_usd,
    }
    return tuple(values.get(column.name) for column in FOCUS_COLUMNS)


def _tags(tags: Mapping[str, str]) -> str:
    """Tags as the flat JSON object FOCUS wants."""
    pairs = (f"{_quoted(name)}: {_quoted(value)}" for name, value in tags.items())
    return "{" + ", ".join(pairs) + "}"


def _quoted(text: str) -> str:
    shown = "".join(
        f"\\u{ord(sign):04x}" if ord(sign) < 0x20 or 0xD800 <= ord(sign) < 0xE000 else sign
        for sign in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{shown}"'


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
