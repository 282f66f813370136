"""An attempt's row says what it cost and which prices applied."""

from dataclasses import replace
from typing import Any

from application.accounting import charged, note_attempt
from application.job import Attribution, Job
from domain.analytics.event import AttemptEvent
from domain.catalog.prices import PriceTable, Rates, Variant
from domain.llm.request import LlmRequest, Operation
from domain.llm.usage import Usage
from domain.routing.effective_price import PriceContract, ReservedCapacity
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.role import local_operator
from domain.time import Deadline
from tests.unit.routing._talks import cached_target
from tests.unit.routing._world import live_of, table_of

USD = 1_000_000_000
FLEX = Variant(name="service_tier=flex", base=Rates(input=USD // 2, output=USD // 2))
PRICES = PriceTable(base=Rates(input=USD, output=USD), variants=(FLEX,))
RESERVED = PriceContract(reserved=ReservedCapacity(tokens_per_minute=1_000))
MILLION = Usage(1_000_000, 0)


def job_at(target: Target, *, asked: str = "", dropped: tuple[str, ...] = ()) -> tuple[Job, Target]:
    table = table_of(target)
    request = LlmRequest(
        operation=Operation.CHAT, dialect="openai.chat", model="auto", body=b"{}", service_tier=asked
    )
    job = Job(
        request_id="req_1",
        principal=local_operator(),
        request=request,
        requirements=Requirements(),
        plan=Plan(Route(name="auto", targets=()), table.targets, (), "cost", 1),
        attribution=Attribution(),
        started=0.0,
        started_at_us=0,
        deadline=Deadline(1e9),
        dropped=dropped,
        live=live_of(table),
    )
    return job, table.targets[0]


def row(
    job: Job, target: Target, usage: Usage = MILLION, ended: float = 30.0, outcome: str = "ok"
) -> AttemptEvent:
    return note_attempt(job, target, via="direct", outcome=outcome, started=29.0, ended=ended, usage=usage)


def billed(event: AttemptEvent) -> tuple[Any, str]:
    return event.cost_nano_usd, event.billed_as


def test_the_tier_asked_for_is_billed_unless_another_was_served_or_it_never_arrived() -> None:
    plain = cached_target("a/m", PRICES)
    assert billed(row(*job_at(plain))) == (USD, "")
    assert billed(row(*job_at(plain, asked="service_tier=flex"))) == (USD // 2, "service_tier=flex")
    told_default = MILLION._replace(variant="service_tier=default")
    assert billed(row(*job_at(plain, asked="flex"), told_default)) == (USD, "")
    assert billed(row(*job_at(plain, asked="flex", dropped=("service_tier",)))) == (USD, "")


def test_reserved_capacity_bills_nothing_until_the_minute_is_used_up() -> None:
    job, target = job_at(cached_target("a/m", PRICES, contract=RESERVED))
    some = Usage(600, 0)
    assert charged(job, target, some, 30.0) == (0, "reserved")
    assert [billed(row(job, target, some)) for _ in range(3)] == [
        (0, "reserved"),
        (0, "reserved"),
        (600_000, ""),
    ]
    assert charged(job, target, some, 30.0) == (600_000, "")
    assert billed(row(job, target, some, ended=61.0)) == (0, "reserved")


def test_reserved_capacity_is_for_its_models_alone_and_not_spent_by_what_used_nothing() -> None:
    only = PriceContract(
        reserved=replace(RESERVED.reserved or ReservedCapacity(tokens_per_minute=1), models=frozenset({"x"}))
    )
    assert billed(row(*job_at(cached_target("a/m", PRICES, contract=only)))) == (USD, "")
    job, target = job_at(cached_target("a/m", PRICES, contract=RESERVED))
    assert billed(row(job, target, Usage(), outcome="server_error")) == (0, "")
