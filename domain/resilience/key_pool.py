"""Several keys of one provider: which one the next call uses, and what a failure says about a key.

A call goes to the key with the most headroom: what is left of its requests and tokens per minute, as the
operator declared them and as the provider tells with its answers. Calls in flight count from the moment
they are sent. Keys nothing is known of share by their weights. A key that is rate-limited, out of credit or
refused rests, and another one takes over at once.
"""

from collections.abc import Sequence
from enum import Enum
from math import inf
from typing import NamedTuple

from domain.llm.failures import FailureKind
from domain.resilience.minute import MinuteWindow
from domain.resilience.rolling import RollingCounts

RATE_LIMIT_REST_S = 1.0
"""How long a rate-limited key rests when the provider does not say."""
QUOTA_REST_S = 600.0
"""How long a key without credit rests, at least."""
REFUSED_REST_S = 60.0
"""How long a refused key rests before it is tried again; doubled with every further refusal."""
REST_MAX_S = 3600.0
ALIKE = 0.05
"""Headrooms this close are the same: weights decide between them."""
PREFERRED_MIN = 0.1
"""A warm prompt cache is worth its key while the key has at least this much headroom."""

KEY_FAULTS = frozenset({FailureKind.RATE_LIMIT, FailureKind.QUOTA, FailureKind.AUTH})
"""Failures of a key; all others would have met any key."""


class PoolKey(NamedTuple):
    """One key as configured. `mark` changes with its secret, `account` with who is billed.

    `rpm` and `tpm` are the provider's limits per minute, None where they are not known.
    """

    id: str
    weight: float = 1.0
    rpm: int | None = None
    tpm: int | None = None
    account: str = ""
    mark: int = 0


class Headroom(NamedTuple):
    """What a provider told of a key's limits with an answer; None: nothing. Times are seconds from then."""

    requests_limit: int | None = None
    requests_left: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None


class KeyState(Enum):
    """What an operator sees of a key."""

    READY = "ready"
    RATE_LIMITED = "rate_limited"
    QUOTA = "out_of_credit"
    REFUSED = "refused"


_GOOD, _BAD = 0, 1
_RESTING = {
    FailureKind.RATE_LIMIT: KeyState.RATE_LIMITED,
    FailureKind.QUOTA: KeyState.QUOTA,
    FailureKind.AUTH: KeyState.REFUSED,
}


class Claim(NamedTuple):
    """One call's hold on a key; give it back with `settle`."""

    key_id: str
    tokens: int
    at: float


class KeyStatus(NamedTuple):
    """One key at a glance. `headroom` is 0..1, None where nothing is known of its limits."""

    id: str
    state: str
    headroom: float | None
    back_after_s: float
    success_rate: float | None
    in_flight: int
    requests_last_minute: int
    tokens_last_minute: int


class _Told:
    """A limit as the provider told it: so much was left at a time, and full again at another."""

    __slots__ = ("full_at", "left", "limit")

    def __init__(self) -> None:
        self.limit: int | None = None
        self.left = 0
        self.full_at = -inf

    def learn(self, limit: int | None, left: int | None, reset_s: float | None, now: float) -> None:
        if limit is not None and limit > 0:
            self.limit = limit
        if left is not None and self.limit is not None:
            self.left = left
            self.full_at = now + (reset_s if reset_s is not None else 60.0)

    def share(self, needed: int, now: float) -> float | None:
        """What is left after `needed`, as a share of the limit; None: never told. Negative: no room."""
        if self.limit is None:
            return None
        left = self.limit if now >= self.full_at else self.left
        return (left - needed) / self.limit


class _Key:
    __slots__ = (
        "config", "in_flight", "outcomes", "probing", "refusals", "requests", "rest_until", "state", "tokens",
        "used",
    )  # fmt: skip

    def __init__(self, config: PoolKey) -> None:
        self.config = config
        self.used = MinuteWindow()
        self.requests = _Told()
        self.tokens = _Told()
        self.outcomes = RollingCounts(bucket_s=30.0, past_buckets=10, columns=2)
        self.in_flight = 0
        self.rest_until = 0.0
        self.refusals = 0
        self.probing = False
        self.state = KeyState.READY

    def headroom(self, tokens: int, now: float) -> float | None:
        """The least share left after a call of so many tokens: None: unknown, negative: it does not fit."""
        used, config = self.used, self.config
        used.forget_old(now)
        least: float | None = None
        if config.rpm is not None:
            least = (config.rpm - used.requests - 1) / config.rpm
        if config.tpm is not None:
            # A call larger than the limit is the provider's to refuse, once nothing else is under way.
            share = (config.tpm - used.tokens - min(tokens, config.tpm)) / config.tpm
            least = share if least is None or share < least else least
        for told, needed in ((self.requests, 1), (self.tokens, tokens)):
            share_told = told.share(needed, now)
            if share_told is not None:
                # What a provider told may be old: it lowers the rank of a key and never rules it out.
                share_told = max(share_told, 0.0)
                least = share_told if least is None or share_told < least else least
        return least

    def free(self, now: float) -> bool:
        return self.rest_until <= now and not (self.probing and self.in_flight)

    def note(self, column: int, now: float) -> None:
        if now >= self.outcomes.ends_at:
            self.outcomes.rotate(now)
        self.outcomes.current[column] += 1

    def success_rate(self, now: float) -> float | None:
        """The share of good answers in the last minutes; None without calls."""
        if now >= self.outcomes.ends_at:
            self.outcomes.rotate(now)
        good, bad = self.outcomes.total(_GOOD), self.outcomes.total(_BAD)
        return round(good / (good + bad), 4) if good + bad else None

    def claim(self, tokens: int, now: float) -> Claim:
        self.used.add(now, 1, tokens)
        self.requests.left -= 1
        self.tokens.left -= tokens
        self.in_flight += 1
        return Claim(self.config.id, tokens, now)


class KeyPool:
    """The keys of one provider, told the time. Not safe across threads; one event loop owns it."""

    __slots__ = ("_keys", "closed_until")

    def __init__(self, keys: Sequence[PoolKey]) -> None:
        self._keys: dict[str, _Key] = {}
        self.closed_until = 0.0
        """Until when every key rests, in monotonic seconds."""
        self.configure(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def configure(self, keys: Sequence[PoolKey]) -> None:
        """Other keys from now on; one whose id and secret stay keeps what is known of it."""
        old, self._keys = self._keys, {}
        for config in keys:
            kept = old.get(config.id)
            if kept is None or kept.config.mark != config.mark:
                kept = _Key(config)
            kept.config = config
            self._keys[config.id] = kept
        self._close()

    def account(self, key_id: str) -> str:
        """Who is billed for a key; keys without an account of their own share one."""
        key = self._keys.get(key_id)
        return "" if key is None else key.config.account

    def claim(
        self,
        now: float,
        draw: float,
        tokens: int,
        *,
        avoid: Sequence[str] = (),
        prefer: str = "",
        only: str = "",
    ) -> Claim | None:
        """A key for a call of about so many tokens; None when no key may be used now.

        `only` names the one key whose account can serve the call, `prefer` one that would serve it better.
        `avoid` are keys the call has met already. `draw` in [0, 1) decides between equals.
        """
        if only and only in self._keys:
            avoid = [key_id for key_id in self._keys if key_id != only or only in avoid]
        candidates, best = self._candidates(now, tokens, avoid)
        if not candidates:
            return None
        if prefer:
            for key, room in candidates:
                if key.config.id == prefer and (room is None or room >= PREFERRED_MIN):
                    return key.claim(tokens, now)
        if best is not None:
            candidates = [each for each in candidates if each[1] is None or each[1] >= best - ALIKE]
        return _drawn(candidates, draw).claim(tokens, now)

    def offers(self, now: float, tokens: int, *, avoid: Sequence[str] = ()) -> bool:
        """Whether a key may be used now."""
        return bool(self._candidates(now, tokens, avoid)[0])

    def _candidates(
        self, now: float, tokens: int, avoid: Sequence[str]
    ) -> tuple[list[tuple[_Key, float | None]], float | None]:
        """Keys that may be used, with their headroom, and the most headroom known among them."""
        candidates: list[tuple[_Key, float | None]] = []
        best: float | None = None
        for key_id, key in self._keys.items():
            if key_id in avoid or not key.free(now):
                continue
            room = key.headroom(tokens, now)
            if room is not None:
                if room < 0:
                    continue
                best = room if best is None or room > best else best
            candidates.append((key, room))
        return candidates, best

    def settle(self, claim: Claim, tokens: int | None) -> None:
        """Gives a claim back; `tokens` is what the call really took, None where that is not known."""
        key = self._keys.get(claim.key_id)
        if key is None:
            return
        key.in_flight = max(0, key.in_flight - 1)
        if tokens is not None:
            key.used.correct(claim.at, tokens - claim.tokens)

    def answered(self, key_id: str, now: float, told: Headroom | None) -> None:
        """A good answer: the key works, and its headers tell what is left."""
        key = self._keys.get(key_id)
        if key is None:
            return
        key.note(_GOOD, now)
        key.refusals, key.probing = 0, False
        if key.rest_until <= now:
            key.state = KeyState.READY
        if told is not None:
            key.requests.learn(told.requests_limit, told.requests_left, told.requests_reset_s, now)
            key.tokens.learn(told.tokens_limit, told.tokens_left, told.tokens_reset_s, now)

    def failed(self, key_id: str, kind: FailureKind, retry_after_s: float | None, now: float) -> None:
        """A failed call. Only the key's own faults let it rest."""
        key = self._keys.get(key_id)
        if key is None:
            return
        key.note(_BAD, now)
        if kind not in KEY_FAULTS:
            return
        if kind is FailureKind.AUTH:
            rest_s = min(REFUSED_REST_S * 2.0 ** min(key.refusals, 10), REST_MAX_S)
            key.refusals += 1
            key.probing = True
        elif kind is FailureKind.QUOTA:
            rest_s = max(QUOTA_REST_S, retry_after_s or 0.0)
        else:
            rest_s = RATE_LIMIT_REST_S if retry_after_s is None else retry_after_s
        key.rest_until = max(key.rest_until, now + min(rest_s, REST_MAX_S))
        key.state = _RESTING[kind]
        self._close()

    def back_after_s(self, now: float, tokens: int = 0, *, only: str = "") -> float:
        """Seconds until some key may take a call of about so many tokens; 0: now."""
        soonest = inf
        for key_id, key in self._keys.items():
            if only in self._keys and key_id != only:
                continue
            wait_s = max(0.0, key.rest_until - now)
            room = key.headroom(tokens, now)
            if room is not None and room < 0:
                config = key.config
                requests = 0 if config.rpm is None else key.used.requests + 1 - config.rpm
                over = 0 if config.tpm is None else key.used.tokens + min(tokens, config.tpm) - config.tpm
                wait_s = max(wait_s, key.used.room_after_s(now, requests=requests, tokens=over))
            soonest = min(soonest, wait_s)
        return 0.0 if soonest == inf else soonest

    def statuses(self, now: float) -> tuple[KeyStatus, ...]:
        """Every key, in the order of the configuration."""
        return tuple(_status(key, now) for key in self._keys.values())

    def _close(self) -> None:
        self.closed_until = min((key.rest_until for key in self._keys.values()), default=0.0)


def _status(key: _Key, now: float) -> KeyStatus:
    room = key.headroom(0, now)
    resting = key.rest_until > now or key.probing
    return KeyStatus(
        id=key.config.id,
        state=(key.state if resting else KeyState.READY).value,
        headroom=None if room is None else round(max(room, 0.0), 4),
        back_after_s=round(max(0.0, key.rest_until - now), 3),
        success_rate=key.success_rate(now),
        in_flight=key.in_flight,
        requests_last_minute=key.used.requests,
        tokens_last_minute=key.used.tokens,
    )


def _drawn(candidates: list[tuple[_Key, float | None]], draw: float) -> _Key:
    """One of them, by weight."""
    total = sum(key.config.weight for key, _ in candidates)
    left = draw * total
    for key, _ in candidates:
        left -= key.config.weight
        if left < 0:
            return key
    return candidates[-1][0]
