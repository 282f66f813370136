"""How rate limits are told in headers: OpenAI's names, Anthropic's for its callers, and the IETF draft's.

Of several limits the tightest counts, told apart by what they count. Every limit is in `RateLimit-Policy`.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from application.job import Job
from application.limit_slice import Slice
from application.ports.wire import FAMILY
from domain.errors import RateLimited
from domain.limits.limit import PERIOD_S, Meter
from domain.limits.standing import LimitStanding
from entrypoints.http.asgi import RawHeaders

_LONG_S: Final = {"week": 7 * 86_400, "month": 30 * 86_400}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Words(NamedTuple):
    """What of a limit's headers is always the same."""

    of_tokens: bool
    name: bytes
    policy: bytes
    openai: tuple[tuple[bytes, bytes], bytes, bytes]
    """The amount as a header; the names of what remains and of when all is there again."""
    anthropic: tuple[tuple[bytes, bytes], bytes, bytes]


_Told = tuple[float, int, float, _Words]
"""One limit: the share that is left, what remains, seconds until all is there again."""


MANY_LEFT: Final = 10_000
"""Where at least so much is left of each limit, what was told is told again for a moment: whoever comes so
often that it makes a difference is far from any limit."""
TOLD_AGAIN_S: Final = 0.005
_KEPT_MAX: Final = 4096
_kept: dict[tuple[str, int], tuple[float, tuple[Slice, ...], RawHeaders]] = {}
"""By the caller's dialect and the identity of its slices: until when, for whom, and what was told."""


def limit_headers(job: Job, now: float) -> RawHeaders:
    """Of an answer; empty where no limit concerns it. `now` is monotonic."""
    charge = job.limited
    if charge is None:
        return []
    slices = charge.slices
    key = (job.request.dialect, id(slices))
    kept = _kept.get(key)
    if kept is not None and kept[1] is slices and now < kept[0] <= now + TOLD_AGAIN_S:
        return kept[2]
    now_us = job.started_at_us + int((now - job.started) * 1e6)
    told: list[_Told] = []
    for part in slices:
        account = part.account
        remaining, reset_s = part.room(now, now_us)
        words = _words(account.name, account.amount, account.per, part.of_tokens)
        told.append((remaining / account.amount, remaining, reset_s, words))
    headers = _headers(told, job.request.dialect, now_us)
    if all(each[1] >= MANY_LEFT for each in told):
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[key] = (now + TOLD_AGAIN_S, slices, headers)
    return headers


def refusal_headers(error: RateLimited, dialect: str) -> RawHeaders:
    """Of a refusal by a limit of ours."""
    told: list[_Told] = [
        (
            each.share_left,
            each.remaining,
            each.reset_s,
            _words(each.name, each.amount, each.per, each.meter is Meter.TOKENS),
        )
        for each in error.standings
        if isinstance(each, LimitStanding)
    ]
    return _headers(told, dialect, error.at_us)


def _headers(told: Sequence[_Told], dialect: str, now_us: int) -> RawHeaders:
    """Made for every answer that a limit concerns, so it goes over the limits once."""
    if not told:
        return []
    requests: _Told | None = None
    tokens: _Told | None = None
    for each in told:
        if each[3].of_tokens:
            if tokens is None or each[0] < tokens[0]:
                tokens = each
        elif requests is None or each[0] < requests[0]:
            requests = each
    headers: RawHeaders = []
    anthropic = FAMILY.get(dialect) == "anthropic"
    for least in (requests, tokens):
        if least is None:
            continue
        _, remaining, reset_s, words = least
        amount, remains, resets = words.anthropic if anthropic else words.openai
        reset = _moment(now_us, reset_s) if anthropic else duration(reset_s)
        headers += (amount, (remains, b"%d" % remaining), (resets, reset))
    tightest = requests if tokens is None or (requests is not None and requests[0] <= tokens[0]) else tokens
    assert tightest is not None
    _, remaining, reset_s, words = tightest
    left = b"%b;r=%d;t=%d" % (words.name, remaining, math.ceil(reset_s))
    headers += ((b"ratelimit-policy", b", ".join([each[3].policy for each in told])), (b"ratelimit", left))
    return headers


def _moment(now_us: int, reset_s: float) -> bytes:
    at = _EPOCH + timedelta(seconds=math.ceil(now_us / 1e6 + reset_s))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()


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


@lru_cache(maxsize=4096)
def _words(name: str, amount: int, per: str, of_tokens: bool) -> _Words:
    unit = Meter.TOKENS.value if of_tokens else Meter.REQUESTS.value
    quoted = _quoted(name)
    whole = b"%d" % amount
    openai = [f"x-ratelimit-{part}-{unit}".encode() for part in ("limit", "remaining", "reset")]
    anthropic = [f"anthropic-ratelimit-{unit}-{part}".encode() for part in ("limit", "remaining", "reset")]
    return _Words(
        of_tokens,
        quoted.encode(),
        f'{quoted};q={amount};w={_window_s(per)};qu="{unit}"'.encode(),
        ((openai[0], whole), openai[1], openai[2]),
        ((anthropic[0], whole), anthropic[1], anthropic[2]),
    )


def _window_s(per: str) -> int:
    return PERIOD_S[per] if per in PERIOD_S else _LONG_S[per]


def _quoted(name: str) -> str:
    plain = name.encode("ascii", "replace").decode()
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
