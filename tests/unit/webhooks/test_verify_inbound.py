"""Whether a received webhook may be acted on: genuine, timely, new."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from adapters.memory.seen_messages import InMemorySeenMessages
from adapters.memory.system import SteppingClock
from application.use_cases.verify_inbound import Inbound, Verdict, VerifyInbound
from domain.errors import InvalidRequest, NotFound, StoreUnavailable
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of
from domain.vault.secret import SecretBytes
from domain.webhooks.inbound import Source
from tests.unit.webhooks.test_inbound import BODY, SECRET, signed


def of_tenant(tenant_id: str) -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id="Key000000001",
        key_name="k",
        role="operator",
        permissions=permissions_of("operator", tenant_id),
    )


ACME = of_tenant("acme")


async def opened(tenant_id: str, names: Collection[str]) -> Mapping[str, SecretBytes]:
    kept = {"acme": {"hook": SECRET}, "other": {"hook": SECRET}}
    return {name: SecretBytes(kept[tenant_id][name]) for name in names if name in kept[tenant_id]}


class Desk:
    def __init__(self) -> None:
        self.clock = SteppingClock()
        self.seen = InMemorySeenMessages()
        self.verify = VerifyInbound(opened, self.seen, self.clock)

    @property
    def now_s(self) -> int:
        return int(self.clock.utc_now().timestamp())

    def received(self, source: Source = Source.SLACK, late_s: int = 0) -> Inbound:
        headers = {name.title(): value for name, value in signed(source, at_s=self.now_s - late_s).items()}
        return Inbound(source, ("hook",), headers, BODY)


async def test_a_message_is_genuine_once_and_replayed_after_that() -> None:
    desk = Desk()
    received = desk.received()

    assert (await desk.verify(ACME, received)).verdict is Verdict.GENUINE
    assert (await desk.verify(ACME, received)).verdict is Verdict.REPLAYED
    assert (await desk.verify(ACME, received._replace(check_replay=False))).verdict is Verdict.GENUINE
    assert (await desk.verify(of_tenant("other"), received)).verdict is Verdict.GENUINE


async def test_a_message_that_was_kept_back_is_too_old_and_not_remembered() -> None:
    desk = Desk()
    received = desk.received(late_s=301)

    assert (await desk.verify(ACME, received)).verdict is Verdict.TOO_OLD
    assert (await desk.verify(ACME, received._replace(tolerance_s=400))).verdict is Verdict.GENUINE


async def test_a_replay_is_known_as_long_as_anybody_would_take_it() -> None:
    desk = Desk()
    received = desk.received()._replace(tolerance_s=3600)
    assert (await desk.verify(ACME, received)).verdict is Verdict.GENUINE

    desk.clock.advance(3599)

    assert (await desk.verify(ACME, received)).verdict is Verdict.REPLAYED


async def test_a_forgery_is_remembered_by_nobody() -> None:
    desk = Desk()
    forged = desk.received()._replace(body=b"{}")
    desk.seen.reachable = False

    assert (await desk.verify(ACME, forged)).verdict is Verdict.NOT_GENUINE


async def test_what_cannot_be_looked_up_is_not_taken() -> None:
    desk = Desk()
    desk.seen.reachable = False

    with pytest.raises(StoreUnavailable):
        await desk.verify(ACME, desk.received())


async def test_a_secret_is_found_by_its_name_in_the_callers_tenant() -> None:
    desk = Desk()

    with pytest.raises(NotFound) as missing:
        await desk.verify(ACME, desk.received()._replace(credentials=("hook", "theirs")))

    assert missing.value.param == "credentials.1"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"credentials": ()}, "credentials"),
        ({"credentials": ("hook",) * 4}, "credentials"),
        ({"tolerance_s": 0}, "tolerance_s"),
        ({"tolerance_s": float("nan")}, "tolerance_s"),
        ({"headers": {"A": "1", "a": "2"}}, "headers"),
        ({"headers": {str(n): "" for n in range(101)}}, "headers"),
    ],
)
async def test_what_cannot_be_meant_is_refused(change: dict[str, Any], param: str) -> None:
    desk = Desk()

    with pytest.raises(InvalidRequest) as refused:
        await desk.verify(ACME, desk.received()._replace(**change))

    assert refused.value.param == param
