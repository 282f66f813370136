"""Instances that keep the same limits, on a clock that is moved by hand."""

from collections.abc import Callable
from itertools import accumulate, count

from adapters.memory.rate_limits import InMemoryRateLimits
from adapters.memory.system import SteppingClock
from application.job import Attribution, Job
from application.limit_book import LimitBook
from application.limit_exchange import LimitExchange
from application.ports.rate_limits import RateLimitStore
from domain.errors import RateLimited, StoreUnavailable
from domain.limits.limit import LimitTerms, RateLimit, make_limit
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.principal import Principal
from domain.time import Deadline

ROUTE = Route(name="assistant", targets=())
_holders = count(1)


def limit(name: str = "all", **words: object) -> RateLimit:
    terms: dict[str, object] = {"scope": {"tenant": "acme"}, "per": "minute", **words}
    return make_limit(LimitTerms(name=name, **terms), limit_id=f"lim_{name}", owner="acme")  # type: ignore[arg-type]


def job(
    clock: SteppingClock, *, key: str = "k1", tenant: str = "acme", body: bytes = b"{}", **asked: int
) -> Job:
    principal = Principal(
        tenant_id=tenant, key_id=key, key_name=key, role="agent", permissions=frozenset({"llm.call"})
    )
    request = LlmRequest(
        operation=Operation.CHAT,
        dialect="openai.chat",
        model="assistant",
        body=body,
        max_output_tokens=asked.get("max_output_tokens"),
    )
    now = clock.monotonic()
    return Job(
        request_id="req_1", principal=principal, request=request, requirements=Requirements(), plan=NO_PLAN,
        attribution=Attribution(), started=now, started_at_us=0, deadline=Deadline(now + 10),
    )  # fmt: skip


class World:
    """`instances` books over one store."""

    def __init__(self, *limits: RateLimit, instances: int = 1, store: RateLimitStore | None = None) -> None:
        self.clock = SteppingClock()
        self.memory = InMemoryRateLimits(self.now_us)
        self.store = store or self.memory
        self.books = [self.new_book(limits) for _ in range(instances)]
        self.admitted: list[tuple[int, int]] = []

    def new_book(self, limits: tuple[RateLimit, ...]) -> LimitBook:
        new_holder: Callable[[], str] = lambda: f"holder_{next(_holders)}"  # noqa: E731
        exchange = LimitExchange(self.store, self.clock, new_holder)
        book = LimitBook(exchange, exchange, self.clock)
        book.replace(limits)
        return book

    def now_us(self) -> int:
        return int(self.clock.utc_now().timestamp() * 1e6)

    async def ask(self, instance: int = 0, **asked: object) -> Job | None:
        """A request; None: it was refused. Others come through."""
        asking = job(self.clock, **asked)  # type: ignore[arg-type]
        try:
            room = self.books[instance].admit(asking, ROUTE)
            if room is not None:
                await room
        except (RateLimited, StoreUnavailable):
            return None
        self.admitted.append((self.now_us(), 1))
        return asking


def most_above(admitted: list[tuple[int, int]], amount: int, period_us: int, burst: int) -> float:
    """How many units the worst window has above `burst + amount * w / period`; the limit held up to 0."""
    ordered = sorted(admitted)
    sums = [0, *accumulate(units for _, units in ordered)]
    rate = amount / period_us
    # let(i..j) - rate * (t_j - t_i) is greatest where the running value is highest above its lowest before.
    worst, lowest = float("-inf"), float("inf")
    for place, (at_us, _) in enumerate(ordered):
        lowest = min(lowest, sums[place] - rate * at_us)
        worst = max(worst, sums[place + 1] - rate * at_us - lowest)
    return worst - burst
