"""What happens to one request: counted, rewritten, sent elsewhere or refused; never passed on unread."""

import asyncio
from collections.abc import Iterator, Set
from typing import Any

import msgspec
import pytest

from adapters.privacy.detector import PatternDetector
from adapters.system.clock import SystemClock
from adapters.wire.heads import DialectReader
from adapters.wire.text_fields import DialectTexts
from application.job import Attribution, Job
from application.places import NO_PLACES, Places
from application.ports.llm import UpstreamAnswer
from application.ports.pii_detector import PiiDetector, Scanned
from application.ports.wire import OPENAI_CHAT
from application.privacy.inspecting import PrivacyInspector
from application.privacy.protecting import CountedAnswer, EnforcedAnswer, enforced
from application.tenant_book import TenantBook
from domain.errors import InterchangeError, PiiBlocked, PrivacyUnavailable, StoreUnavailable
from domain.llm.request import Home
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind
from domain.privacy.policy import Act, PrivacyPolicy, RouteDemand
from domain.residency.place import Atlas
from domain.residency.sinks import NOWHERE_KNOWN, Sink
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import REGIONS, Requirements
from domain.routing.target import Route, RouteTarget
from domain.tenancy.principal import Principal
from domain.tenancy.tenant import Tenant
from domain.time import Deadline
from tests.unit.routing._world import target

EMAIL = "bob.stone@example.com"
CALLER = Principal(tenant_id="t", key_id="k", key_name="", role="agent", permissions=frozenset())


class Broken(PiiDetector):
    context_chars = hold_chars_max = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find(self, text: str, kinds: Set[PiiKind], start: int = 0) -> list[Finding]:
        raise self._error

    def scan(self, text: str, kinds: Set[PiiKind], start: int = 0) -> Scanned:
        raise self._error


class World:
    def __init__(self, detector: PiiDetector | None = None, places: Places = NO_PLACES) -> None:
        self.tenants = TenantBook()
        self.inspector = PrivacyInspector(
            policies=_book(),
            tenants=self.tenants,
            texts=DialectTexts(),
            detector=detector or PatternDetector(),
            reader=DialectReader(),
            secret=b"secret",
            clock=SystemClock(),
            places=places,
        )

    def job(self, text: str = f"to {EMAIL}", **more: Any) -> Job:
        body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": text}], **more})
        return Job(
            request_id="r", principal=CALLER, request=DialectReader().read(OPENAI_CHAT, body),
            requirements=Requirements(), plan=NO_PLAN, attribution=Attribution(), started=0.0,
            started_at_us=0, deadline=Deadline(0.0),
        )  # fmt: skip

    def inspect(self, job: Job, policy: str) -> None:
        assert self.inspector.request(job, Route(name="r", targets=(), privacy=policy)) is None


def _book() -> Any:
    from application.privacy.policies import PolicyBook

    book = PolicyBook()
    routed = PrivacyPolicy(name="routed", default=Act.ROUTE, route=RouteDemand(tags=frozenset({"ours"})))
    book.use("detect", {"routed": routed})
    return book


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.inspector.close()


def test_a_rewritten_request_is_read_again(world: World) -> None:
    job = world.job(EMAIL * 20)
    job.request.home = Home(target_id="t", provider="p", credential="", elsewhere=job.request.body)
    world.inspect(job, "redact")
    assert EMAIL.encode() not in job.request.body
    assert job.request.home is not None
    assert job.request.home.elsewhere == job.request.body
    assert job.request.size_bytes == len(job.request.body)
    assert enforced(job)


async def test_what_is_only_counted_is_counted_beside_the_request(world: World) -> None:
    job = world.job()
    body = job.request.body
    world.inspect(job, "")
    assert job.request.body is body
    assert not enforced(job)
    [protection] = job.protections
    assert isinstance(protection, CountedAnswer)
    answer = UpstreamAnswer(
        msgspec.json.encode({"choices": [{"message": {"content": EMAIL}}]}), "application/json", None, None
    )
    assert await protection.answer(answer) is answer
    for _ in range(100):
        if len(world.inspector.counts.findings) == 2:
            break
        await asyncio.sleep(0.02)
    assert world.inspector.counts.findings == {
        ("EMAIL_ADDRESS", "prompts", "detect"): 1,
        ("EMAIL_ADDRESS", "answers", "detect"): 1,
    }


def test_what_does_not_fit_beside_requests_is_counted_as_unseen(world: World) -> None:
    world.inspect(world.job("a" * 70_000), "")
    assert world.inspector.counts.unseen == {"size": 1}


async def test_a_large_body_is_read_in_a_thread_and_gives_the_same(world: World) -> None:
    text = f"some words {EMAIL} and 4111 1111 1111 1111, " * 2000
    small, large = world.job(text[:1000]), world.job(text)
    world.inspect(small, "redact")
    waiting = world.inspector.request(large, Route(name="r", targets=(), privacy="redact"))
    assert waiting is not None
    await waiting
    said = msgspec.json.decode(large.request.body)["messages"][0]["content"]
    assert said == text.replace(EMAIL, "<EMAIL_ADDRESS>").replace("4111 1111 1111 1111", "<CREDIT_CARD>")


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), ValueError(EMAIL), RecursionError(), KeyError(EMAIL)]
)
async def test_a_detector_that_fails_lets_nothing_pass(error: Exception) -> None:
    world = World(Broken(error))
    for text in ("small", "large " * 10_000):
        job = world.job(text)
        with pytest.raises(InterchangeError) as raised:
            if (
                waiting := world.inspector.request(job, Route(name="r", targets=(), privacy="redact"))
            ) is not None:
                await waiting
        assert raised.value.code == "privacy_unavailable"
        assert EMAIL not in str(raised.value)
    world.inspector.close()


def test_a_tenants_policy_adds_to_that_of_the_route(world: World) -> None:
    world.tenants.use([Tenant(tenant_id="t", privacy="block")])
    with pytest.raises(PiiBlocked) as raised:
        world.inspect(world.job(), "redact")
    assert EMAIL not in str(raised.value.details)
    world.tenants.use([Tenant(tenant_id="t", privacy="lost")])
    with pytest.raises(PrivacyUnavailable):
        world.inspect(world.job("nothing"), "")


def test_headers_that_a_provider_gets_are_read_and_versions_of_clients_are_not(world: World) -> None:
    job = world.job("nothing")
    client = ("user-agent", "Client/1.2.3.4")
    job.request.headers = (client, ("x-customer", EMAIL), ("x-stainless-runtime-version", "10.0.0.1"))
    world.inspect(job, "redact")
    assert job.request.headers == (
        client, ("x-customer", "<EMAIL_ADDRESS>"), ("x-stainless-runtime-version", "10.0.0.1"),
    )  # fmt: skip
    job.request.headers = (("x-customer", EMAIL),)
    with pytest.raises(PiiBlocked) as raised:
        world.inspect(job, "block")
    assert raised.value.param == "headers.x-customer"


def test_what_is_routed_is_kept_nowhere(world: World) -> None:
    with pytest.raises(PiiBlocked, match="has none"):
        world.inspect(world.job(), "routed")
    free = world.job("nothing of anybody")
    world.inspect(free, "routed")
    assert not free.request.cache_wish.no_store


def test_a_group_of_regions_is_met_by_each_of_them_and_a_way_elsewhere_is_not_taken() -> None:
    sinks = NOWHERE_KNOWN._replace(gateway=Sink("the gateway", "us-east"))
    world = World(places=Places(TenantBook(), Atlas(REGIONS, {"eu": frozenset({"eu-west"})}), sinks))
    policy = PrivacyPolicy(name="at-home", default=Act.ROUTE, route=RouteDemand(residency="eu"))
    world.inspector.policies.use("detect", {"at-home": policy})
    inside, outside = target("a/one", region="eu-west"), target("b/two", region="us-east")
    unknown = target("c/three")
    members = tuple(RouteTarget(target=each) for each in (inside, outside, unknown))
    job = world.job()
    assert world.inspector.request(job, Route(name="r", targets=members, privacy="at-home")) is None
    assert job.requirements.only_among == frozenset({"a/one"})
    assert job.requirements.without_gateway and not job.may_store
    with pytest.raises(PiiBlocked):
        world.inspector.request(world.job(), Route(name="r", targets=members[1:], privacy="at-home"))
    world.inspector.close()


async def test_an_answer_is_kept_rewritten_and_given_back_whole(world: World) -> None:
    job = world.job()
    world.inspect(job, "tokenise")
    [protection] = job.protections
    assert isinstance(protection, EnforcedAnswer)
    body = msgspec.json.encode({"choices": [{"message": {"content": f"{EMAIL} eve@example.com"}}]})
    kept = await protection.answer(UpstreamAnswer(body, "application/json", None, None))
    assert b"@" not in kept.body
    delivered = protection.deliver(kept)
    assert delivered.body == body
    assert protection.kept(delivered.body) == kept.body


async def test_an_answer_that_cannot_be_read_is_not_passed_on(world: World) -> None:
    job = world.job()
    world.inspect(job, "redact")
    for body in (b"[]", b"{", b"\xff"):
        with pytest.raises(PrivacyUnavailable):
            await job.protections[0].answer(UpstreamAnswer(body, "application/json", None, None))


def test_rules_that_differ_have_other_versions(world: World) -> None:
    names = ["", "off", "redact", "tokenise", "routed"]
    versions = {world.inspector.version("t", Route(name="r", targets=(), privacy=name)) for name in names}
    assert len(versions) == len(names)
