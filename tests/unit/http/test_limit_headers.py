"""How rate limits are told in headers."""

from types import SimpleNamespace
from typing import Any

import pytest

from application.limit_charge import LimitCharge
from application.limit_slice import Slice
from domain.errors import RateLimited
from domain.limits.bucket import Told, make_rule
from domain.limits.limit import LimitAccount, Meter
from domain.limits.standing import LimitStanding
from entrypoints.http.errors import render_error
from entrypoints.http.limit_headers import duration, limit_headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, b"0ms"),
        (0.0203, b"21ms"),
        (1.5, b"1.5s"),
        (59.9994, b"60s"),
        (360, b"6m0s"),
        (3661.2, b"1h1m2s"),
        (86_400, b"24h0m0s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: bytes) -> None:
    assert duration(seconds) == text


def standing(name: str, meter: Meter, amount: int, remaining: int) -> LimitStanding:
    return LimitStanding("lim_1", name, "tenant=a", "", meter, amount, "minute", False, remaining, 12.2)


def refused(dialect: str) -> dict[str, str]:
    error = RateLimited(
        "no",
        retry_after_s=1.01,
        standings=(
            standing("wide", Meter.REQUESTS, 100, 50),
            standing('a "tight" ünit', Meter.REQUESTS, 10, 1),
            standing("tokens", Meter.TOKENS, 1000, 999),
        ),
        at_us=1_772_368_215_000_000,
    )
    status, headers, _ = render_error(error, dialect, "req_1")
    assert status == 429
    return {name.decode(): value.decode() for name, value in headers}


def test_the_tightest_limit_of_each_kind_is_told() -> None:
    headers = refused("openai.chat")

    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert headers["x-ratelimit-reset-requests"] == "12.2s"
    assert headers["x-ratelimit-remaining-tokens"] == "999"
    assert headers["retry-after"] == "2"
    assert headers["ratelimit"] == r'"a \"tight\" ?nit";r=1;t=13'
    assert headers["ratelimit-policy"].count(";w=60;") == 3


def test_anthropics_callers_get_anthropics_names() -> None:
    headers = refused("anthropic.messages")

    assert headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert headers["anthropic-ratelimit-tokens-reset"] == "2026-03-01T12:30:28Z"
    assert not any(name.startswith("x-ratelimit") for name in headers)


def job_with(*, amount: int, left: int) -> Any:
    """A request that took from a limit of which so much is left."""
    rule = make_rule(amount, 60_000_000, amount)
    name = f"limit-{amount}-{left}"
    account = LimitAccount(name, name, name, "o", "tenant=a", "key=k", Meter.REQUESTS, amount, "minute", rule)
    part = Slice(account, 0.0)
    part.told, part.left = Told(1, 1, 0, 0, 0), left
    charge = LimitCharge((part,), [1], -1)
    return SimpleNamespace(
        limited=charge, request=SimpleNamespace(dialect="openai.chat"), started_at_us=1, started=0.0
    )


def remaining(job: Any, now: float) -> bytes:
    return dict(limit_headers(job, now))[b"x-ratelimit-remaining-requests"]


def test_near_a_limit_every_answer_tells_exactly_what_is_left() -> None:
    job = job_with(amount=60, left=30)
    slice_ = job.limited.slices[0]
    assert remaining(job, 0.0) == b"30"
    slice_.left = 29
    assert remaining(job, 0.0) == b"29"


def test_far_from_every_limit_a_moment_tells_the_same() -> None:
    job = job_with(amount=60_000, left=20_000)
    slice_ = job.limited.slices[0]
    assert remaining(job, 0.0) == b"20000"
    slice_.left = 19_000
    assert remaining(job, 0.004) == b"20000"
    assert int(remaining(job, 0.006)) < 19_010
    assert int(remaining(job, 0.001)) < 19_010, "a clock that begins anew is no moment of before"
