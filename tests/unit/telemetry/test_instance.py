"""Several workers, one page: nothing counts backwards, whoever is asked and whoever ends."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.telemetry.instance import InstanceMetrics, ReadingPage
from adapters.telemetry.merging import Snapshot
from adapters.telemetry.metrics import PrometheusMetrics
from adapters.telemetry.series import Family
from adapters.telemetry.tenants import TenantCounts
from adapters.telemetry.worker_files import WorkerFiles
from application.ports.telemetry import Gauge
from contracts.metrics import METRICS
from contracts.ports.usage import attempt, usage_event

REQUESTS = (
    'interchange_requests_total{provider="acme",model="small",route="",'
    'operation="chat",outcome="ok",status="200"}'
)


class Worker:
    """One worker on a folder that several share, and on a clock that stands still."""

    def __init__(self, folder: Path, **gauges: float) -> None:
        self.now_s = 1000.0
        self.metrics = PrometheusMetrics(TenantCounts(places=2))
        self.files = WorkerFiles(folder, METRICS)
        self.page = InstanceMetrics(self.metrics, self.files, METRICS, lambda: self.now_s)
        self.page.sources.append(
            lambda: [Gauge(f"interchange_{name}", "", (((), value),)) for name, value in gauges.items()]
        )

    def answer(self, times: int, **changes: Any) -> None:
        for number in range(times):
            self.metrics.observe(usage_event(number, **changes))

    async def shown(self) -> dict[str, str]:
        return read(await self.page.page())


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.worker"))


def read(page: bytes) -> dict[str, str]:
    lines = page.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


async def test_each_worker_tells_of_all(tmp_path: Path) -> None:
    one = Worker(tmp_path, active_requests=2, redis_up=1, breaker_state=0)
    two = Worker(tmp_path, active_requests=3, redis_up=0, breaker_state=2)
    for worker in (one, two):
        await worker.page.start()
    one.answer(3)
    two.answer(4)
    await one.shown()
    from_two, from_one = await two.shown(), await one.shown()

    for shown in (from_two, from_one):
        assert shown[REQUESTS] == "7"
        assert shown['interchange_request_duration_seconds_count{route="",outcome="ok"}'] == "7"
        assert shown["interchange_workers{}"] == "2"
        assert shown["interchange_active_requests{}"] == "5"
        assert shown["interchange_redis_up{}"] == "0", "the worse of both"
        assert shown["interchange_breaker_state{}"] == "2"
    assert read(await ReadingPage(one.files, METRICS, lambda: 1000.0).page())[REQUESTS] == "7"
    for worker in (one, two):
        await worker.page.aclose()


async def test_counts_of_workers_that_ended_are_kept_and_their_gauges_go(tmp_path: Path) -> None:
    one, two = Worker(tmp_path, active_requests=2), Worker(tmp_path, active_requests=3)
    for worker in (one, two):
        await worker.page.start()
    one.answer(3)
    two.answer(4)
    await one.shown()
    one.files.close()  # as the kernel does for a process that was killed

    before = await two.shown()
    assert two.files.add_up_ended() == 1
    after = await two.shown()
    third = Worker(tmp_path)
    await third.page.start()
    third.answer(1)

    assert before[REQUESTS] == after[REQUESTS] == "7"
    assert before["interchange_active_requests{}"] == after["interchange_active_requests{}"] == "3"
    assert (await third.shown())[REQUESTS] == "8"
    assert len(files_of(tmp_path)) == 2
    for worker in (two, third):
        await worker.page.aclose()


async def test_a_worker_whose_end_was_added_up_is_not_counted_twice(tmp_path: Path) -> None:
    """As after a kill between writing the sum and removing what it was made of."""
    one, two = Worker(tmp_path), Worker(tmp_path)
    for worker in (one, two):
        await worker.page.start()
    one.answer(3)
    await one.page.aclose()
    (left,) = files_of(tmp_path)
    content = left.read_bytes()
    two.files.add_up_ended()
    left.write_bytes(content)
    left.with_suffix(".lock").touch()

    assert (await two.shown())[REQUESTS] == "3"
    assert two.files.add_up_ended() == 1
    assert (await two.shown())[REQUESTS] == "3"
    await two.page.aclose()


async def test_tenants_with_a_series_are_the_same_for_all_workers(tmp_path: Path) -> None:
    one, two = Worker(tmp_path), Worker(tmp_path)
    for worker in (one, two):
        await worker.page.start()
    for tenant in ("a", "b"):
        one.answer(2, tenant_id=tenant)
    for tenant in ("c", "b", "a"):
        two.answer(1, tenant_id=tenant)
    await one.shown()
    shown = await two.shown()

    counted = {name: value for name, value in shown.items() if name.startswith("interchange_tenant_requests")}
    assert counted == {
        'interchange_tenant_requests_total{tenant="a"}': "3",
        'interchange_tenant_requests_total{tenant="b"}': "3",
        'interchange_tenant_requests_total{tenant="other"}': "1",
    }
    for worker in (one, two):
        await worker.page.aclose()


async def test_a_folder_that_cannot_be_used_leaves_a_page_of_this_worker(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("a file")
    worker = Worker(tmp_path / "in the way")
    await worker.page.start()
    worker.answer(2)

    assert (await worker.shown())[REQUESTS] == "2"
    await worker.page.aclose()


async def test_a_disk_that_fills_up_leaves_a_page_of_this_worker(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "metrics")
    await worker.page.start()
    worker.files.wipe()
    (tmp_path / "metrics").write_text("no folder any more")
    worker.answer(2)

    assert (await worker.shown())[REQUESTS] == "2"
    await worker.page.aclose()


async def test_figures_of_the_last_minutes_forget(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    await worker.page.start()
    stream = attempt("r", 0, first_token_us=0, duration_us=1_000_000, output_tokens=50, cost_nano_usd=10**9)
    hit = {"cache": "hit-l1", "saved_nano_usd": 10**9, "cost_nano_usd": 0, "attempts": ()}
    worker.now_s += 60
    worker.answer(1, route="faq", cache="miss", cost_nano_usd=3 * 10**9, attempts=(stream,))
    worker.answer(3, route="faq", **hit)
    shown = await worker.shown()

    assert shown['interchange_cost_per_request_usd{route="faq"}'] == "0.75"
    assert shown['interchange_cache_hit_ratio{route="faq"}'] == "0.75"
    assert shown['interchange_optimization_efficiency_ratio{route="faq"}'] == "0.5"
    assert shown['interchange_tokens_per_second{provider="acme",model="small"}'] == "50"
    assert shown['interchange_spend_rate_usd_per_hour{provider="acme"}'] == "60", "1 USD in its first minute"
    assert shown['interchange_cost_savings_usd{kind="exact"}'] == "3"
    for _ in range(40):
        worker.now_s += 10
        shown = await worker.shown()
    assert not [name for name in shown if name.startswith("interchange_cache_hit_ratio")]
    assert shown['interchange_cost_savings_usd{kind="exact"}'] == "3"
    await worker.page.aclose()


async def test_what_is_not_listed_is_shown_as_it_is(tmp_path: Path) -> None:
    worker = Worker(tmp_path, unheard_of=4.5)

    assert (await worker.shown())["interchange_unheard_of{}"] == "4.5"


@pytest.mark.parametrize("rounds", [40])
async def test_no_page_tells_less_than_an_earlier_one(tmp_path: Path, rounds: int) -> None:
    """Workers count, end and begin while others read, and the sum is made meanwhile."""
    workers = [Worker(tmp_path) for _ in range(3)]
    for worker in workers:
        await worker.page.start()
    reader = ReadingPage(WorkerFiles(tmp_path, METRICS), METRICS, lambda: 0.0)
    before = answered = 0
    for number in range(rounds):
        worker = workers[number % 3]
        worker.answer(2)
        answered += 2
        if number % 5 == 4:
            await worker.page.aclose()
            workers[number % 3] = worker = Worker(tmp_path)
            await worker.page.start()
        adding = asyncio.to_thread(workers[0].files.add_up_ended)
        page, shown, _ = await asyncio.gather(reader.page(), worker.shown(), adding)
        for told in (int(read(page).get(REQUESTS, 0)), int(shown[REQUESTS])):
            assert told >= before
        before = int(shown[REQUESTS])
    for worker in workers:
        await worker.page.aclose()
    assert int(read(await reader.page())[REQUESTS]) == answered


def test_a_file_of_another_version_is_passed_over(tmp_path: Path) -> None:
    files = WorkerFiles(tmp_path, METRICS)
    files.open()
    files.write(Snapshot(1.0, [Family("interchange_workers", "gauge", "", (), {(): 1})], {}))
    (tmp_path / f"{os.getpid()}-other.worker").write_bytes(b"\xc1 not ours")

    read_back = files.read()

    assert (len(read_back.living), len(read_back.ended)) == (1, 0)
    files.close()
