"""Batches run to their end whatever happens on the way, in virtual time."""

import asyncio
from dataclasses import replace

from domain.batch.batch import BatchStatus, StopReason
from domain.batch.progress import UNRESOLVED, Intent, TryEnded
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from domain.routing.table import RoutingTable
from tests.unit.application.upstreams import OK, Bench, refused, virtually
from tests.unit.batch.world import BatchWorld, ask

A = "alpha/m"
SLOW = replace(OK, latency_s=10.0, usage=Usage(10, 5))


async def run_for(world: BatchWorld, seconds: float) -> None:
    """One process: runs batches for so long, then is gone."""
    process = asyncio.create_task(world.batching.watch.run())
    await asyncio.sleep(seconds)
    process.cancel()
    await asyncio.gather(process, return_exceptions=True)
    world.journals.held.clear()
    world.batching = world._batching()


@virtually
async def test_lines_are_answered_and_recorded_once_each() -> None:
    world = BatchWorld(Bench({A: replace(OK, usage=Usage(10, 5))}))
    batch = await world.begin([ask(str(n)) for n in range(30)])
    await run_for(world, 60)
    done = await world.now(batch)
    assert done.status is BatchStatus.COMPLETED and done.counts == (30, 30, 0)
    assert len(await world.rows(done.output_file_id)) == 30 and done.error_file_id is None
    assert len({event.request_id for event in world.events}) == 30
    assert done.cost_nano_usd == sum(event.cost_nano_usd or 0 for event in world.events) > 0
    assert world.pipeline.in_flight == 0


@virtually
async def test_a_batch_whose_time_is_over_expires_with_what_it_has() -> None:
    world = BatchWorld(Bench({A: replace(SLOW, latency_s=50.0)}, retries=0))
    batch = await world.begin([ask(str(n)) for n in range(200)], concurrency="1")
    await run_for(world, 3700)
    done = await world.now(batch)
    assert done.status is BatchStatus.EXPIRED and done.stop is StopReason.EXPIRED
    answered, unasked = await world.rows(done.output_file_id), await world.rows(done.error_file_id)
    assert len(answered) + len(unasked) == 200 and 60 <= len(answered) <= 75
    assert {row["error"]["code"] for row in unasked.values()} == {"batch_expired"}


def honouring(bench: Bench) -> Bench:
    """The same targets at providers that honour idempotency keys."""
    targets = [replace(target, honours_idempotency_keys=True) for target in bench._table.targets]
    members = tuple(replace(member, target=targets[member.target.index]) for member in bench.route.targets)
    bench._table = RoutingTable.compile(targets, {"auto": replace(bench.route, targets=members)})
    return bench


@virtually
async def test_what_was_in_flight_is_sent_again_under_the_same_key_and_id() -> None:
    world = BatchWorld(honouring(Bench({A: SLOW})))
    batch = await world.begin([ask(str(n)) for n in range(4)], concurrency="2")
    await run_for(world, 15)
    await run_for(world, 60)
    done = await world.now(batch)
    assert done.status is BatchStatus.COMPLETED and done.unresolved == 0
    ids = [f"req_{batch.batch_id[6:]}_{line}_0" for line in (1, 2, 3, 4)]
    assert [call.request_id for call in world.bench.direct.calls] == [*ids, *ids[2:]]
    assert sorted(event.request_id for event in world.events) == ids
    intents = [one for one in world.journals.records[batch.batch_id] if isinstance(one, Intent)]
    assert len(intents) == 6 and len({(one.line, one.key) for one in intents}) == 4
    assert all(event.outcome == "ok" for event in world.events)


@virtually
async def test_without_honoured_keys_the_doubt_is_recorded_and_the_line_asked_anew() -> None:
    world = BatchWorld(Bench({A: SLOW}))
    batch = await world.begin([ask(str(n)) for n in range(2)], concurrency="2")
    await run_for(world, 5)
    await run_for(world, 60)
    done = await world.now(batch)
    assert done.status is BatchStatus.COMPLETED and done.unresolved == 2 and done.counts == (2, 2, 0)
    doubts = [event for event in world.events if event.error_code == UNRESOLVED]
    assert [event.attempts[0].outcome for event in doubts] == [UNRESOLVED] * 2
    assert all(event.estimated and event.cost_nano_usd for event in doubts)
    assert len({event.request_id for event in world.events}) == 4
    assert done.cost_nano_usd == sum(event.cost_nano_usd or 0 for event in world.events)


@virtually
async def test_a_journal_that_cannot_be_written_sends_nothing_and_loses_nothing() -> None:
    world = BatchWorld(Bench({A: replace(OK, usage=Usage(10, 5))}))
    batch = await world.begin([ask("x")])
    world.journals.writable = False
    running = asyncio.create_task(run_for(world, 120))
    await asyncio.sleep(20)
    assert world.bench.direct.calls == [] and world.pipeline.in_flight == 0
    world.journals.writable = True
    await running
    assert (await world.now(batch)).counts == (1, 1, 0)
    assert len([event for event in world.events if event.outcome == "ok"]) == 1


@virtually
async def test_an_answer_outlives_a_disk_that_is_full_when_it_comes() -> None:
    world = BatchWorld(Bench({A: SLOW}))
    batch = await world.begin([ask("x")])
    running = asyncio.create_task(run_for(world, 120))
    await asyncio.sleep(5)
    world.journals.writable = False
    await asyncio.sleep(20)
    world.journals.writable = True
    await running
    assert (await world.now(batch)).counts == (1, 1, 0)
    assert len(world.bench.direct.calls) == 1 and len(world.events) == 1


@virtually
async def test_the_journal_says_what_will_be_sent_before_and_what_came_after() -> None:
    world = BatchWorld(Bench({A: OK}))
    batch = await world.begin([ask("x")])
    await run_for(world, 10)
    intent, end = world.journals.records[batch.batch_id]
    assert isinstance(intent, Intent) and intent.target_id == A and intent.bound_nano_usd
    assert isinstance(end, TryEnded) and end.final and end.event is not None and end.answer
    assert end.event == world.events[0]


@virtually
async def test_a_provider_at_its_limit_is_waited_for_and_slowed_down_to() -> None:
    limited = refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=2.0)
    world = BatchWorld(Bench({A: [limited, limited, OK]}, retries=0))
    batch = await world.begin([ask("x"), ask("y")], concurrency="2")
    await run_for(world, 120)
    done = await world.now(batch)
    assert done.counts == (2, 2, 0)


@virtually
async def test_batches_wait_while_callers_need_the_slots() -> None:
    world = BatchWorld(Bench({A: OK}), slots_max=10)
    batch = await world.begin([ask("x")])
    world.pipeline.in_flight = 9
    running = asyncio.create_task(run_for(world, 60))
    await asyncio.sleep(20)
    assert world.bench.direct.calls == []
    world.pipeline.in_flight = 0
    await running
    assert (await world.now(batch)).counts == (1, 1, 0)


@virtually
async def test_a_provider_that_is_away_costs_no_line_while_there_is_time() -> None:
    down = refused(FailureKind.NETWORK, sent=False)
    world = BatchWorld(Bench({A: [*[down] * 8, OK]}, retries=0))
    batch = await world.begin([ask("x")], retries="20")
    await run_for(world, 600)
    assert (await world.now(batch)).counts == (1, 1, 0)


@virtually
async def test_of_two_processes_one_runs_a_batch() -> None:
    world = BatchWorld(Bench({A: SLOW}))
    batch = await world.begin([ask(str(n)) for n in range(6)], concurrency="2")
    other = world._batching()
    second = asyncio.create_task(other.watch.run())
    await run_for(world, 100)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert (await world.now(batch)).counts == (6, 6, 0)
    assert len(world.bench.direct.calls) == 6


@virtually
async def test_old_batches_journals_and_files_are_forgotten() -> None:
    world = BatchWorld(Bench({A: OK}))
    batch = await world.begin([ask("x")])
    await run_for(world, 10)
    assert world.journals.records
    await asyncio.sleep(31 * 86_400)
    await run_for(world, 10)
    assert await world.store.get("acme", batch.batch_id) is None
    assert not world.journals.records
    assert await world.records.page("acme", purpose=None, after=None, limit=9, ascending=True) == []
