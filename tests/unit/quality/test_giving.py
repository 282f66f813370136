"""Saying how good an answer was: how often one key may."""

import pytest

from adapters.memory.quality import InMemoryQualityStore
from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.use_cases.give_feedback import SOURCES_MAX, GiveFeedback, SaidOfAnswer
from contracts.ports.usage import usage_event
from domain.errors import Conflict
from domain.quality.feedback import verdict_of
from domain.tenancy.principal import Principal


async def nothing() -> None:
    pass


async def as_it_is(_: Principal, comment: str) -> str | None:
    return comment


async def test_one_key_makes_no_crowd_of_opinions_of_one_answer() -> None:
    store, rows, event = InMemoryQualityStore(), InMemoryUsageLog(), usage_event(1)
    rows.record(event)
    await rows.flush()
    give = GiveFeedback(store, rows, nothing, as_it_is, SteppingClock())

    async def say(source: str, key_id: str = "key_1", score: float = 0.0) -> bool:
        by = Principal(
            tenant_id=event.tenant_id,
            key_id=key_id,
            key_name="n",
            role="agent",
            permissions=frozenset({"feedback.write"}),
        )
        verdict = verdict_of(rating=None, thumbs=None, score=score, label=None)
        said = SaidOfAnswer(request_id=event.request_id, verdict=verdict, source=source)
        return (await give(by, said))[1]

    for number in range(SOURCES_MAX):
        assert await say(f"s{number}")
    with pytest.raises(Conflict, match="20 sources already") as refused:
        await say("one more")
    assert refused.value.param == "source"

    assert not await say("s3", score=1.0), "a second thought takes the place of the first"
    assert await say("one more", key_id="key_2"), "others may still speak"
    assert len(store.given) == SOURCES_MAX + 1
