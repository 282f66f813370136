"""Units of rate limits in the database: rows locked for as long as the domain's rule is at work on them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, delete, select, text, update

from adapters.sql.database import REFUSED_VALUES, Database
from adapters.sql.limit_tables import limit_units
from adapters.sql.upserts import insert_into
from application.ports.rate_limits import LimitLine, RateLimitStore
from application.ports.system import Clock
from domain.errors import StoreUnavailable
from domain.limits.bucket import NS_PER_US, Bucket, Mark, Told, ask
from domain.limits.quota import count

Result = TypeVar("Result")
KEPT_US: Final = 60_000_000
"""How long a row is kept after it says nothing any more: clocks of several machines differ."""
_ROWS: Final = (
    select(limit_units)
    .where(limit_units.c.account_id.in_(bindparam("ids", expanding=True)))
    .order_by(limit_units.c.account_id)
    .with_for_update()
)
_CHANGE: Final = (
    update(limit_units)
    .where(limit_units.c.account_id == bindparam("which"))
    .values({name: bindparam(name) for name in ("level_ns", "at_us", "marks", "used", "ends_us")})
)
_POSTGRES_NOW: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class SqlRateLimits(RateLimitStore):
    """One clock: PostgreSQL's own, or that of the one machine that SQLite runs on.

    SQLite may forget the last moments before a power cut, and with them what was taken in that time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self) -> None:
        """Nothing to do: what was committed stays."""

    async def exchange(self, holder: str, number: int, lines: Sequence[LimitLine]) -> list[Told]:
        # A transaction that was rolled back left nothing, and one without an answer is not repeated.
        del holder, number
        return await self._written(lambda connection: self._exchanged(connection, lines))

    async def tidy(self) -> None:
        def work(connection: Connection) -> None:
            now_us = self._now_us(connection)
            connection.execute(delete(limit_units).where(limit_units.c.ends_us < now_us - KEPT_US))

        await self._written(work)

    async def _written(self, work: Callable[[Connection], Result]) -> Result:
        try:
            return await self._database.write(work, alone=False)
        except REFUSED_VALUES as error:
            raise StoreUnavailable(f"rate limits cannot be counted: {type(error).__name__}") from error

    def _exchanged(self, connection: Connection, lines: Sequence[LimitLine]) -> list[Told]:
        ids = sorted({line.account_id for line in lines})
        rows = _locked(connection, ids)
        missing = [account_id for account_id in ids if account_id not in rows]
        if missing:
            insert = insert_into(connection.dialect, limit_units).on_conflict_do_nothing()
            connection.execute(insert, [_empty(account_id) for account_id in missing])
            rows |= _locked(connection, missing)
        now_us = self._now_us(connection)  # under the locks, so that it rises from one holder to the next
        answers = [_ask(rows[line.account_id], line, now_us) for line in lines]
        changed = {line.account_id for line, told in zip(lines, answers, strict=True) if _changes(line, told)}
        if changed:
            connection.execute(_CHANGE, [{**rows[each], "which": each} for each in ids if each in changed])
        return answers

    def _now_us(self, connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            return int(connection.execute(_POSTGRES_NOW).scalar_one())
        return int(self._clock.utc_now().timestamp() * 1e6)


def _locked(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows: Iterable[Any] = connection.execute(_ROWS, {"ids": ids}).mappings()
    return {row["account_id"]: {name: row[name] for name in row if name != "account_id"} for row in rows}


def _empty(account_id: str) -> dict[str, Any]:
    return {"account_id": account_id, "level_ns": 0, "at_us": 0, "marks": "", "used": 0, "ends_us": 0}


def _ask(row: dict[str, Any], line: LimitLine, now_us: int) -> Told:
    if line.rule is None:
        row["used"], told = count(row["used"], line.amount, line.asked, now_us)
        row["at_us"], row["ends_us"] = now_us, line.ends_us or 0
        return told
    bucket, told = ask(
        Bucket(row["level_ns"], row["at_us"], _marks(row["marks"])), line.rule, line.asked, now_us
    )
    row["level_ns"], row["at_us"] = bucket.level_ns, bucket.at_us
    row["marks"] = ",".join(f"{mark.at_us}:{mark.level_ns}" for mark in bucket.marks)
    row["ends_us"] = bucket.at_us + bucket.level_ns // NS_PER_US
    return told


def _changes(line: LimitLine, told: Told) -> bool:
    """Whether anything was taken or given back: that a bucket drained need not be written down."""
    return told.granted > 0 or line.asked.debt > 0 or bool(line.asked.credits)


def _marks(packed: str) -> tuple[Mark, ...]:
    parts = (part.partition(":") for part in packed.split(",") if part)
    return tuple(Mark(int(at_us), int(level_ns)) for at_us, _, level_ns in parts)
