"""What each tenant paid each integration in each period: the published entity UsageAnalytics."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.analytics.rollup import RollupSums


class CostKey(NamedTuple):
    """One group of sums. Times are UTC epoch microseconds; the end is exclusive."""

    tenant_id: str
    integration_id: str
    """The provider, for traffic with models; empty: nobody answered."""
    model: str
    start_us: int
    end_us: int


class ModelCost(NamedTuple):
    """What one model had of it."""

    requests: int
    ok_requests: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int
    unpriced_requests: int


class UsageAnalytics(NamedTuple):
    """One tenant, integration and period."""

    analytics_id: str
    """A UUID that is the same for the same tenant, integration and period, wherever it is asked for."""
    tenant_id: str
    integration_id: str
    start_us: int
    end_us: int
    total_requests: int
    total_cost_nano_usd: int
    """Over what is known: `provider_breakdown` says how many requests have no known price."""
    average_latency_ms: float
    """From the request's arrival to the end of its answer."""
    success_rate: float
    """Share of the requests that ended `ok`, 0 to 1."""
    provider_breakdown: Mapping[str, ModelCost]
    """By `provider/model`."""


def analytics_of(groups: Iterable[tuple[CostKey, RollupSums]]) -> list[UsageAnalytics]:
    """Groups put together over their models, by period, tenant and integration."""
    found: dict[tuple[int, int, str, str], list[tuple[CostKey, RollupSums]]] = {}
    for key, sums in groups:
        place = (key.start_us, key.end_us, key.tenant_id, key.integration_id)
        found.setdefault(place, []).append((key, sums))
    return [_analytics(members) for _, members in sorted(found.items())]


def _analytics(members: list[tuple[CostKey, RollupSums]]) -> UsageAnalytics:
    first = members[0][0]
    requests = sum(sums.requests for _, sums in members)
    return UsageAnalytics(
        analytics_id=analytics_id(first.tenant_id, first.integration_id, first.start_us, first.end_us),
        tenant_id=first.tenant_id,
        integration_id=first.integration_id,
        start_us=first.start_us,
        end_us=first.end_us,
        total_requests=requests,
        total_cost_nano_usd=sum(sums.cost_nano_usd for _, sums in members),
        average_latency_ms=sum(sums.duration_us for _, sums in members) / requests / 1000,
        success_rate=sum(sums.ok_requests for _, sums in members) / requests,
        provider_breakdown={
            f"{key.integration_id}/{key.model}": ModelCost(
                sums.requests,
                sums.ok_requests,
                sums.input_tokens,
                sums.output_tokens,
                sums.cost_nano_usd,
                sums.unpriced_requests,
            )
            for key, sums in sorted(members)
        },
    )


def analytics_id(tenant_id: str, integration_id: str, start_us: int, end_us: int) -> str:
    """The id of one tenant's analytics of one integration and period, wherever it is asked for."""
    return uuid_of(f"{tenant_id}/{integration_id}/{start_us}/{end_us}")


def uuid_of(name: str) -> str:
    """A version 8 UUID (RFC 9562) made of SHA-256."""
    digits = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
