"""Puts together rate limits: what requests are held to, and what people do with them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from application.limit_book import LimitBook
from application.limit_exchange import LimitExchange
from application.ports.limits import LimitStore
from application.ports.rate_limits import RateLimitStore
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.tenant_book import TenantBook
from application.use_cases.follow_limits import REFRESH_EVERY_S, FollowLimits, check_limit_names
from application.use_cases.manage_limits import LimitKeeping, ManageLimits
from domain.errors import Conflict
from domain.limits.limit import RateLimit
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiting:
    """`follow.refresh` and `book.run` run beside requests (`start_limiting`)."""

    book: LimitBook
    follow: FollowLimits
    counts: LimitExchange
    quotas: LimitExchange
    store: LimitStore
    begin: Callable[[], Awaitable[None]]


def make_limiting(
    durable: RateLimitStore,
    shared: RateLimitStore | None,
    limits: LimitStore,
    tenants: TenantBook,
    clock: Clock,
    ids: IdFactory,
) -> Limiting:
    """`durable` is the database; `shared` a faster store for limits that forget soon; None: the database
    counts everything."""

    def new_holder() -> str:
        return ids.next("lmh")

    quotas = LimitExchange(durable, clock, new_holder)
    counts = quotas if shared is None else LimitExchange(shared, clock, new_holder)
    book = LimitBook(counts, quotas, clock, lambda tenant_id: tenants.of(tenant_id).organisation)
    return Limiting(
        book=book,
        follow=FollowLimits(limits, book),
        counts=counts,
        quotas=quotas,
        store=limits,
        begin=(shared or durable).begin,
    )


async def _nothing() -> None:
    return


async def start_limiting(
    limiting: Limiting, stack: AsyncExitStack, tasks: BackgroundTasks, settings: Settings
) -> None:
    """Puts the first set of limits in force and follows them. Raises ProvisioningError, StoreUnavailable."""
    try:
        await limiting.follow.start(declared_limits(settings))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
    await in_any_case(limiting.begin)
    stack.push_async_callback(limiting.book.aclose)
    tasks.start("rate limits", limiting.book.run)
    tasks.start("limits followed", partial(every, REFRESH_EVERY_S, limiting.follow.refresh))


def declared_limits(settings: Settings) -> tuple[RateLimit, ...]:
    """Those of the configuration file."""
    return tuple(section.limit() for section in settings.rate_limits)


def check_names(declared: Sequence[RateLimit], stored: Sequence[RateLimit]) -> None:
    """Raises ProvisioningError for a name that was also given to a limit made through the API."""
    try:
        check_limit_names(declared, stored)
    except Conflict as error:
        raise ProvisioningError([error.message]) from None


def limit_declared_in(loaded: LoadedSettings, name: str) -> str | None:
    """Where the file declares the limit of this name; None: it does not."""
    for index, section in enumerate(loaded.settings.rate_limits):
        if section.name == name:
            where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
            line = loaded.lines.get(("rate_limits", index, "name"))
            return where if line is None else f"{where}:{line}"
    return None


def managed_limits(
    limiting: Limiting, clock: Clock, ids: IdFactory, loaded: Callable[[], LoadedSettings]
) -> ManageLimits:
    """What routes call in a serving process."""
    follow = limiting.follow
    keeping = LimitKeeping(
        lambda: follow.declared, lambda name: limit_declared_in(loaded(), name), follow.refresh
    )
    return ManageLimits(limiting.store, clock, ids, keeping, limiting.book)


def stored_limits(store: LimitStore, clock: Clock, ids: IdFactory, loaded: LoadedSettings) -> ManageLimits:
    """What commands call without a server."""
    declared = declared_limits(loaded.settings)
    keeping = LimitKeeping(lambda: declared, lambda name: limit_declared_in(loaded, name), _nothing)
    return ManageLimits(store, clock, ids, keeping, None)


def limit_gauges(limiting: Limiting) -> Iterable[Gauge]:
    """Figures per configured limit, for the metrics page; never per subject."""
    names = {
        limit.limit_id: (("limit", limit.name), ("tenant", limit.owner)) for limit in limiting.book.limits
    }
    refusals = limiting.book.refusals
    yield Gauge(
        "interchange_rate_limited_total",
        "Requests this process refused for a rate limit.",
        tuple((names[each], count) for each, count in refusals.items() if each in names),
        "counter",
    )
    stores = {"counts": limiting.counts, "quotas": limiting.quotas}
    if limiting.counts is limiting.quotas:
        del stores["quotas"]
    for name, text, read in (
        ("exchanges", "Questions this process asked the store of rate limits.", "exchanges"),
        ("store_errors", "Questions without an answer; limited requests are refused then.", "failures"),
    ):
        yield Gauge(
            f"interchange_rate_limit_{name}_total",
            text,
            tuple(((("store", store),), getattr(exchange, read)) for store, exchange in stores.items()),
            "counter",
        )
