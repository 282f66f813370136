"""How often answers to similar questions were right, by route: measured, not promised."""

from typing import NamedTuple

from application.caching.beside import BesideCalls
from application.caching.verified_book import VerifiedBook
from application.runtime import Runtime
from domain.caching.intervals import Interval
from domain.caching.policy import CacheMode
from domain.errors import UnknownModel
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

PERMISSION = "cache.read"


class ReuseForecast(NamedTuple):
    """What a route that only observes would have answered from the cache so far, as `verified` would."""

    exact_hits: int
    similar_hits: int
    saved_nano_usd: int


class RouteReuse(NamedTuple):
    """One route of one tenant. `error_rate` is what its operator accepts, as a share of hits on similar
    questions, None: mode `threshold` keeps to none; `measured` is the share among `audited` ones, None: none
    was. `interval` holds the true share 95 times of 100, as far as those `unjudged` were wrong no more often.
    `strictness` is what measured errors cost in log-odds. `mode` None: the route is gone."""

    route: str
    mode: CacheMode | None
    error_rate: float | None
    looked_for: int
    hits: int
    audited: int
    wrong: int
    unjudged: int
    measured: float | None
    interval: Interval
    labels: int
    strictness: float
    audits_nano_usd_today: int
    forecast: ReuseForecast | None


class ReportVerifiedReuse:
    """Everybody with the permission, of the own tenant; as far as this process heard and learned."""

    def __init__(self, runtime: Runtime, book: VerifiedBook, beside: BesideCalls) -> None:
        self._runtime = runtime
        self._book = book
        self._beside = beside

    def __call__(self, by: Principal) -> list[RouteReuse]:
        """By name; routes that never looked for similar questions are left out. Raises Forbidden."""
        check_tenant(by, by.tenant_id, PERMISSION)
        return self._of(by.tenant_id)

    def most_audited(self, limit: int) -> list[tuple[str, RouteReuse]]:
        """Of every tenant, as (tenant, route's): for whoever runs the installation. Working out an interval
        takes a millisecond, so only as many as are wanted."""
        book = self._book
        audited = sorted((-standing.rates.audited, subject) for subject, standing in book.standings())
        return [(tenant_id, self._one(tenant_id, route)) for _, (tenant_id, route) in audited[:limit]]

    def _of(self, tenant_id: str) -> list[RouteReuse]:
        routes = sorted(route for owner, route in self._book.subjects() if owner == tenant_id)
        return [self._one(tenant_id, route) for route in routes]

    def _one(self, tenant_id: str, name: str) -> RouteReuse:
        standing = self._book.standing((tenant_id, name))
        assert standing is not None, "it is one of the book's"
        rates, mode, error_rate = standing.rates, None, standing.error_rate
        table, _ = self._runtime.snapshot
        try:
            policy = table.resolve(name, tenant_id).cache
            mode, error_rate = policy.mode, policy.error_rate
        except UnknownModel:
            pass  # what it did is still true
        forecast = None
        if mode is CacheMode.OBSERVE:
            forecast = ReuseForecast(standing.exact_hits, rates.hits, standing.saved_nano_usd)
        return RouteReuse(
            route=name,
            mode=mode,
            error_rate=None if mode is CacheMode.THRESHOLD else error_rate,
            looked_for=rates.looked_for,
            hits=rates.hits,
            audited=rates.audited,
            wrong=rates.wrong,
            unjudged=rates.unjudged,
            measured=rates.error_rate,
            interval=rates.error_interval,
            labels=standing.model.labels,
            strictness=standing.model.strictness,
            audits_nano_usd_today=self._beside.spending.spent_nano_usd(tenant_id, name),
            forecast=forecast,
        )
