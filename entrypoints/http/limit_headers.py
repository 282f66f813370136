"""How rate limits are told in headers: OpenAI's names, Anthropic's for its callers, and the IETF draft's.

Of several limits the tightest counts, told apart by what they count. Every limit is in `RateLimit-Policy`.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from application.job import Job
from application.ports.wire import FAMILY
from domain.errors import RateLimited
from domain.limits.limit import PERIOD_S, Meter
from domain.limits.standing import LimitStanding
from entrypoints.http.asgi import RawHeaders

_LONG_S: Final = {"week": 7 * 86_400, "month": 30 * 86_400}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def limit_headers(job: Job, now: float) -> RawHeaders:
    """Of an answer; empty where no limit concerns it. `now` is monotonic."""
    charge = job.limited
    if charge is None:
        return []
    now_us = job.started_at_us + int((now - job.started) * 1e6)
    standings = [taken.slice.standing(now, now_us) for taken in charge.taken]
    return _headers(standings, job.request.dialect, now_us)


def refusal_headers(error: RateLimited, dialect: str) -> RawHeaders:
    """Of a refusal by a limit of ours."""
    standings = [each for each in error.standings if isinstance(each, LimitStanding)]
    return _headers(standings, dialect, error.at_us)


def _headers(standings: Sequence[LimitStanding], dialect: str, now_us: int) -> RawHeaders:
    headers: RawHeaders = []
    anthropic = FAMILY.get(dialect) == "anthropic"
    tightest: LimitStanding | None = None
    for meter in Meter:
        least: LimitStanding | None = None
        for each in standings:
            if each.meter is meter and (least is None or each.share_left < least.share_left):
                least = each
        if least is None:
            continue
        if tightest is None or least.share_left < tightest.share_left:
            tightest = least
        headers += _of_anthropic(least, now_us) if anthropic else _of_openai(least)
    if tightest is not None:
        policies = _policies(tuple((each.name, each.amount, each.per, each.meter) for each in standings))
        headers.append((b"ratelimit-policy", policies))
        left = f"{_quoted(tightest.name)};r={tightest.remaining};t={math.ceil(tightest.reset_s)}"
        headers.append((b"ratelimit", left.encode()))
    return headers


def _of_openai(standing: LimitStanding) -> RawHeaders:
    names = _OPENAI[standing.meter]
    return [
        (names[0], b"%d" % standing.amount),
        (names[1], b"%d" % standing.remaining),
        (names[2], duration(standing.reset_s)),
    ]


def _of_anthropic(standing: LimitStanding, now_us: int) -> RawHeaders:
    names = _ANTHROPIC[standing.meter]
    at = _EPOCH + timedelta(seconds=math.ceil(now_us / 1e6 + standing.reset_s))
    return [
        (names[0], b"%d" % standing.amount),
        (names[1], b"%d" % standing.remaining),
        (names[2], at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
    ]


_OPENAI: Final = {
    meter: tuple(f"x-ratelimit-{what}-{meter.value}".encode() for what in ("limit", "remaining", "reset"))
    for meter in Meter
}
_ANTHROPIC: Final = {
    meter: tuple(
        f"anthropic-ratelimit-{meter.value}-{what}".encode() for what in ("limit", "remaining", "reset")
    )
    for meter in Meter
}


def duration(seconds: float) -> bytes:
    """As OpenAI writes it: `20ms`, `1.5s`, `6m0s`, `1h0m0s`."""
    if seconds < 1:
        return b"%dms" % math.ceil(seconds * 1e3)
    if seconds < 60:
        return f"{math.ceil(seconds * 1e3) / 1e3:g}s".encode()
    whole = math.ceil(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return (b"%dh" % hours if hours else b"") + b"%dm%ds" % (minutes, left)


@lru_cache(maxsize=1024)
def _policies(limits: tuple[tuple[str, int, str, Meter], ...]) -> bytes:
    return ", ".join(
        f'{_quoted(name)};q={amount};w={_window_s(per)};qu="{meter.value}"'
        for name, amount, per, meter in limits
    ).encode()


def _window_s(per: str) -> int:
    return PERIOD_S[per] if per in PERIOD_S else _LONG_S[per]


def _quoted(name: str) -> str:
    plain = name.encode("ascii", "replace").decode()
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
