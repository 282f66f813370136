"""Which stores stand behind backtests."""

from collections.abc import Callable, Iterable

from adapters.sql.database import Database
from adapters.sql.decision_log import SqlDecisionLog
from application.ports.system import Clock
from application.runtime import Runtime
from application.use_cases.backtest_policy import BacktestPolicy
from domain.experiments.standing import Standing


def open_backtest(
    reports: Database, runtime: Runtime, clock: Clock, standings: Callable[[], Iterable[Standing]]
) -> BacktestPolicy:
    """Opens nothing. Decisions are read where reports are: they are many rows."""
    return BacktestPolicy(SqlDecisionLog(reports), runtime, clock, standings)
