"""Whom a stop covers, when it is in force, and what may be asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.guards.stop import (
    STOP_FOR_S_MAX,
    SUBJECT_FIELDS,
    NewStop,
    Stop,
    StopCause,
    StopSubject,
    check_new_stop,
    end_of,
    refusal_text,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STOP = Stop(
    stop_id="stop_1",
    tenant_id="acme",
    subject=StopSubject(agent_id="crawler", session_id="s1"),
    cause=StopCause.OPERATOR,
    reason="too expensive",
    by="Key000000001",
    created_at=NOW,
)
subjects = st.builds(StopSubject, **{name: st.sampled_from(("", "x", "y")) for name in SUBJECT_FIELDS})


@given(stopped=subjects, asking=subjects)
@settings(max_examples=200, deadline=None)
def test_a_stop_covers_who_agrees_in_all_that_it_names(stopped: StopSubject, asking: StopSubject) -> None:
    named = [name for name in SUBJECT_FIELDS if getattr(stopped, name)]

    agrees = all(getattr(stopped, name) == getattr(asking, name) for name in named)

    assert stopped.covers(asking) == (bool(named) and agrees)


def test_it_is_in_force_until_it_expires_or_is_lifted() -> None:
    hour = timedelta(hours=1)
    lasting = replace(STOP, expires_at=NOW + hour)

    assert STOP.in_force(NOW + 1000 * hour) and STOP.ended_at() is None
    assert lasting.in_force(NOW) and not lasting.in_force(NOW + hour)
    assert not replace(lasting, lifted_at=NOW).in_force(NOW)
    assert replace(lasting, lifted_at=NOW).ended_at() == NOW
    assert end_of(NOW, None) is None and end_of(NOW, 3600) == NOW + hour


def test_the_refusal_says_who_why_until_when_and_who_can_lift_it() -> None:
    text = refusal_text(replace(STOP, expires_at=NOW))

    for told in ("agent 'crawler', session 's1'", "too expensive", "2026-03-01T12:00:00Z", "agents.stop"):
        assert told in text
    assert text.endswith("interchange stop --lift stop_1")
    assert "until it is lifted" in refusal_text(STOP)


@pytest.mark.parametrize(
    ("new", "param"),
    [
        (NewStop(tenant_id="acme", subject=StopSubject()), "agent_id"),
        (NewStop(tenant_id="acme", subject=StopSubject(user_id="x" * 257)), "user_id"),
        (NewStop(tenant_id="acme", subject=StopSubject(route="a\nb")), "route"),
        (NewStop(tenant_id="acme", subject=StopSubject(key_id="the bot's name")), "key_id"),
        (NewStop(tenant_id="acme", subject=StopSubject(agent_id="a"), reason="\x1b[2J"), "reason"),
        (NewStop(tenant_id="acme", subject=StopSubject(agent_id="a"), reason="x" * 501), "reason"),
        (NewStop(tenant_id="acme", subject=StopSubject(agent_id="a"), for_s=0), "for_s"),
        (NewStop(tenant_id="acme", subject=StopSubject(agent_id="a"), for_s=STOP_FOR_S_MAX + 1), "for_s"),
        (NewStop(tenant_id="acme", subject=StopSubject(agent_id="a"), for_s=float("nan")), "for_s"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(new: NewStop, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_new_stop(new)

    assert caught.value.param == param
