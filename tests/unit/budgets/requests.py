"""Requests and targets for tests about what attempts can cost."""

from datetime import date
from functools import cache

from adapters.pricing.bundled import bundled_catalog
from adapters.wire.heads import DialectReader
from application.job import Attribution, Job
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable, Rates
from domain.llm.request import LlmRequest
from domain.routing.plan import Plan
from domain.routing.prompt_cache import CacheHabit
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline
from entrypoints.prompt_caches import prompt_cache_of

USD = 1_000_000_000
"""Nano-dollars in a dollar: of a rate, dollars per million tokens."""


@cache
def catalogue() -> Catalog:
    return bundled_catalog(date(2026, 11, 21))


def read(dialect: str, body: bytes) -> LlmRequest:
    return DialectReader().read(dialect, body)


def chat(rest: bytes = b',"max_tokens":100', content: bytes = b'"hello"') -> LlmRequest:
    return read(OPENAI_CHAT, b'{"model":"m","messages":[{"role":"user","content":%b}]%b}' % (content, rest))


def messages(rest: bytes = b"", content: bytes = b'"hello"', limit: int = 100) -> LlmRequest:
    body = b'{"model":"m","max_tokens":%d,"messages":[{"role":"user","content":%b}]%b}'
    return read(ANTHROPIC_MESSAGES, body % (limit, content, rest))


def at(offering: Offering, wire: str = "openai", habit: CacheHabit | None = None) -> Target:
    return Target(
        index=0,
        id=offering.id,
        provider=offering.provider,
        model=offering.model,
        offering=offering,
        wire=wire,
        prompt_cache=habit if habit is not None else prompt_cache_of(offering.provider, wire),
    )


def listed(offering_id: str) -> Target:
    """The target of an offering in the bundled catalogue."""
    known = catalogue()
    offering = known.offerings[offering_id]
    return at(offering, known.providers[offering.provider].wire)


def job_of(request: LlmRequest, target: Target, *, tenant: str = "t") -> Job:
    """A job that is about to ask this target."""
    return Job(
        request_id="req_1",
        principal=Principal(
            key_id="k", key_name="k", tenant_id=tenant, role="member", permissions=frozenset()
        ),
        request=request,
        requirements=Requirements(),
        plan=Plan(Route(name="r", targets=()), (target,), (), "priority", 1),
        attribution=Attribution(),
        started=0.0,
        started_at_us=0,
        deadline=Deadline(60.0),
    )


def offering(prices: PriceTable | Rates, **known: object) -> Offering:
    table = PriceTable(base=prices) if isinstance(prices, Rates) else prices
    return Offering(provider="openai", model="gpt-x", prices=table, **known)  # type: ignore[arg-type]
