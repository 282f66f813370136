"""Going back to the version before caches loses what they saved, and not one request."""

from pathlib import Path

from sqlalchemy import text

from adapters.sql.database import SqlDatabase
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import downgrade, upgrade
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageDimension, UsageFilter
from contracts.ports.usage import usage_event
from domain.caching.effect import EFFECTS


async def test_groups_of_caches_are_folded_and_taken_up_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'interchange.db'}"
    upgrade(url)
    thread = BlockingThread("test-sql")
    database = SqlDatabase(url, thread)
    query, writer = SqlUsageQuery(database), SqlUsageWriter(database)
    events = [
        usage_event(
            number, cache=EFFECTS[number % len(EFFECTS)], saved_nano_usd=number, team=f"t{number % 2}"
        )
        for number in range(40)
    ]
    await writer.insert(events)

    downgrade(url, "0012")
    groups = await database.read(
        lambda connection: connection.execute(text("SELECT count(*) FROM usage_rollups")).scalar()
    )
    upgrade(url)
    await writer.insert([usage_event(99, cache="off", team="t0"), usage_event(100, cache="miss", team="t0")])

    assert groups == 2, "one per team"
    (row,) = await query.totals(UsageFilter())
    assert (row.requests, row.cache_hits, row.cache_lookups, row.saved_nano_usd) == (42, 0, 1, 0)
    by_cache = await query.totals(UsageFilter(), (UsageDimension.CACHE,))
    assert {one.key[0]: one.requests for one in by_cache} == {"off": 41, "miss": 1}
    await database.aclose()
    await thread.aclose()


async def test_a_sum_that_may_be_negative_stops_at_both_ends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'interchange.db'}"
    upgrade(url)
    thread = BlockingThread("test-sql")
    database = SqlDatabase(url, thread)
    query, writer = SqlUsageQuery(database), SqlUsageWriter(database)
    for sign, team in ((-1, "written"), (1, "read")):
        for number in range(4):
            event = usage_event(10 * (sign + 1) + number, tries=1, team=team)
            tried = event.attempts[0]._replace(prompt_cache_saved_nano_usd=sign * (2**62 + 5))
            await writer.insert([event._replace(attempts=(tried,))])

    where = UsageFilter()
    rows = {row.key[0]: row for row in await query.totals(where, (UsageDimension.TEAM,))}

    assert rows["written"].prompt_cache_saved_nano_usd == -(2**62)
    assert rows["read"].prompt_cache_saved_nano_usd == 2**62
    await database.aclose()
    await thread.aclose()
