"""What another policy would have brought on a route, from its recorded decisions."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from application.policy_replay import PolicyReplay, WrittenPolicy, route_of
from application.ports.decision_log import RECORDS_MAX, DecisionLog, DecisionsWanted
from application.ports.system import Clock
from application.runtime import Runtime
from domain.backtest.judging import BacktestReport, judge
from domain.backtest.reading import read
from domain.backtest.record import Record
from domain.backtest.repricing import TARGETS_MAX, Repriced, billed, repriced
from domain.errors import InvalidRequest, Overloaded
from domain.experiments.experiment import Metric
from domain.experiments.standing import Standing
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

RECORDS_USUAL: Final = 20_000
PERIOD_US: Final = 7 * 86_400_000_000
AT_ONCE_MAX: Final = 2
"""Per process: each reads many rows and reckons for a second or so."""
RETRY_AFTER_S: Final = 5.0
_ALWAYS: Final = (Metric.COST, Metric.LATENCY, Metric.ERRORS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBacktest:
    """Times are epoch microseconds, None: the last seven days. Without metrics: cost, latency and errors, and
    quality where anybody scored an answer."""

    route: str
    policy: WrittenPolicy | str
    from_us: int | None = None
    to_us: int | None = None
    metrics: tuple[Metric, ...] = ()
    requests_max: int = RECORDS_USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """`from_us` is the first moment that was looked at: where `truncated`, of the oldest request that was
    read, because there were more. `billed_nano_usd` is what the `billed` requests cost that are repriced."""

    route: str
    strategy: str
    from_us: int
    to_us: int
    truncated: bool
    report: BacktestReport
    billed: int
    billed_nano_usd: int
    repriced: tuple[Repriced, ...]


class BacktestPolicy:
    """Of the caller's own tenant. Sends nothing and changes nothing."""

    def __init__(
        self,
        log: DecisionLog,
        runtime: Runtime,
        clock: Clock,
        standings: Callable[[], Iterable[Standing]],
    ) -> None:
        self._log = log
        self._runtime = runtime
        self._clock = clock
        self._standings = standings
        self._running = 0

    async def __call__(self, by: Principal, asked: AskedBacktest) -> Backtest:
        """Raises Forbidden, InvalidRequest, UnknownModel, Overloaded (too many at once), StoreUnavailable."""
        check_tenant(by, by.tenant_id, "usage.read")
        if not 1 <= asked.requests_max <= RECORDS_MAX:
            raise InvalidRequest(f"requests_max must be 1-{RECORDS_MAX}", param="requests_max")
        now_us = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
        to_us = now_us if asked.to_us is None else asked.to_us
        from_us = to_us - PERIOD_US if asked.from_us is None else asked.from_us
        if from_us >= to_us:
            raise InvalidRequest("from must be earlier than to", param="from")
        table, _ = self._runtime.snapshot
        route = table.resolve(asked.route, by.tenant_id)
        policy = route_of(asked.policy, table, by.tenant_id)
        if self._running >= AT_ONCE_MAX:
            raise Overloaded(
                f"{AT_ONCE_MAX} backtests run in this process already", retry_after_s=RETRY_AFTER_S
            )
        self._running += 1
        try:
            wanted = DecisionsWanted(by.tenant_id, route.name, from_us, to_us)
            records = await self._log.newest(wanted, limit=asked.requests_max + 1)
        except BaseException:
            self._running -= 1
            raise
        truncated = len(records) > asked.requests_max
        records = records[: asked.requests_max]
        # About a second of arithmetic for 20,000 requests: not on the loop that answers others.
        work = asyncio.ensure_future(
            asyncio.to_thread(
                _worked_out,
                records,
                partial(PolicyReplay, table, route, policy, by.tenant_id, tuple(self._standings())),
                policy.strategy,
                asked.metrics,
                (route.name, records[-1].started_at_us if truncated else from_us, to_us, truncated),
            )
        )
        work.add_done_callback(self._over)
        # A thread cannot be stopped: whoever leaves gives up its place only when it is over.
        return await asyncio.shield(work)

    def _over(self, work: asyncio.Future[Backtest]) -> None:
        self._running -= 1
        if not work.cancelled():
            work.exception()  # told to whoever waits; nobody may be left


def _worked_out(
    records: Sequence[Record],
    replaying: Callable[[], PolicyReplay],
    strategy: str,
    metrics: tuple[Metric, ...],
    told: tuple[str, int, int, bool],
) -> Backtest:
    replay = replaying()
    reading = read(records, replay.understanding())
    if not metrics:
        scored = any(each.record.score is not None for each in reading.decisions)
        metrics = (*_ALWAYS, Metric.QUALITY) if scored else _ALWAYS
    paid = billed(records)
    priced = [repriced(paid, target.id, target.offering.prices) for target in replay.targets[:TARGETS_MAX]]
    route, from_us, to_us, truncated = told
    return Backtest(
        route=route,
        strategy=strategy,
        from_us=from_us,
        to_us=to_us,
        truncated=truncated,
        report=judge(reading, metrics),
        billed=len(paid),
        billed_nano_usd=sum(each.cost_nano_usd or 0 for each in paid),
        repriced=tuple(each for each in priced if each is not None),
    )
