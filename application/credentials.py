"""Which of a provider's keys an attempt uses, and what its end tells about that key.

A provider with one key has no pool, and nothing here costs its calls anything. A caller's own credential is
no key of ours: it is used for its own request only, and what happens to it says nothing about the target.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from application.job import Job
from application.ports.llm import CALLER
from application.ports.wire import FAMILY
from domain.errors import InvalidRequest
from domain.llm.failures import Failure
from domain.llm.request import LlmRequest
from domain.resilience.key_pool import KEY_FAULTS, Claim, Headroom, KeyPool
from domain.routing.live import TargetState
from domain.routing.target import Passthrough, Route, Target

ROTATIONS_MAX: Final = 16
"""Keys one request meets at one target before the loop takes it for the target's failure."""


class Credential(NamedTuple):
    """What an attempt proves itself with: the id of a key (empty: the only one), and its hold in the pool."""

    id: str
    claim: Claim | None = None
    pool: KeyPool | None = None

    @property
    def is_callers(self) -> bool:
        return self.id == CALLER

    def settle(self, tokens: int | None = None) -> None:
        """Gives the key back; `tokens` is what the call took, None where that is not known."""
        if self.pool is not None and self.claim is not None:
            self.pool.settle(self.claim, tokens)

    def answered(self, now: float, headroom: Headroom | None) -> None:
        """The call was good."""
        if self.pool is not None:
            self.pool.answered(self.id, now, headroom)


ONLY_ONE: Final = Credential("")
CALLERS: Final = Credential(CALLER)


def admit_own(request: LlmRequest, route: Route) -> str:
    """The provider that gets the caller's own credential; empty: none, and it is forgotten then.

    It is the first one of the caller's family on the route: a credential belongs to one vendor, so no
    other provider ever sees it.

    Raises:
        InvalidRequest: the route takes only the callers' own credentials, and there is none.
    """
    if route.passthrough is Passthrough.OFF:
        request.own_credential = None
        return ""
    family = FAMILY.get(request.dialect)
    first = next((each.target.provider for each in route.targets if each.target.wire == family), "")
    if request.own_credential is None or not first:
        request.own_credential = None
        if route.passthrough is Passthrough.ONLY:
            raise InvalidRequest(
                f"the route {route.name!r} takes your own provider credential only: send it in its usual "
                "header, and the key of Interchange in x-interchange-key",
                param="x-interchange-key",
            )
    return first if request.own_credential is not None else ""


def choose_credential(
    job: Job, state: TargetState, target: Target, now: float, draw: float, tried: list[str]
) -> Credential | None:
    """What an attempt at this target uses; None when no key may be used now.

    The account that keeps what the request refers to comes first; it is the only one where nobody else could
    know what is meant. Then the key whose account may have the prompt cache warm, then the most headroom.
    """
    if job.callers_provider and job.callers_provider == target.provider:
        return CALLERS
    home, pool = job.request.home, state.provider.keys
    at_home = home.credential if home is not None and home.provider == target.provider else ""
    if pool is None:
        return ONLY_ONE if not at_home or at_home == CALLER else Credential(at_home)
    strict = home is not None and home.elsewhere is None
    claim = pool.claim(
        now,
        draw,
        _expected_tokens(job),
        avoid=tried,
        prefer=at_home or _warm_key(job, target),
        only=at_home if strict else "",
    )
    return None if claim is None else Credential(claim.key_id, claim, pool)


def _expected_tokens(job: Job) -> int:
    return job.requirements.input_tokens + job.requirements.output_tokens


def _warm_key(job: Job, target: Target) -> str:
    conversation = job.conversation
    if conversation is None:
        return ""
    return next((place.credential for place in conversation.places if place.provider == target.provider), "")


def another_key(job: Job, credential: Credential, failure: Failure, now: float, tried: list[str]) -> bool:
    """Whether another key of the same target takes over at once. Notes the failed one among the tried."""
    pool = credential.pool
    if pool is None or failure.at_gateway or failure.kind not in KEY_FAULTS:
        return False
    tried.append(credential.id)
    home = job.request.home
    if len(tried) > ROTATIONS_MAX or (home is not None and home.elsewhere is None and home.credential):
        return False
    return pool.offers(now, _expected_tokens(job), avoid=tried)


def blamed(
    state: TargetState, credential: Credential, failure: Failure, now: float, rest_max_s: float
) -> bool:
    """Whether a failure was the key's own, so that it says nothing about the target.

    When no key of the pool is left, the target rests until the first of them is back.
    """
    pool, kind = credential.pool, failure.kind
    if credential.is_callers:
        return kind in KEY_FAULTS
    if pool is None:
        return False
    pool.failed(credential.id, kind, failure.retry_after_s, now)
    if kind not in KEY_FAULTS:
        return False
    if pool.closed_until > now:
        state.cool_down(min(pool.closed_until, now + rest_max_s))
    return True


def as_the_pool_tells(job: Job, credential: Credential, failure: Failure, now: float) -> Failure | None:
    """The failure of the last key, with the return of the first key as Retry-After; None: not the pool's."""
    if credential.pool is None or failure.at_gateway or failure.kind not in KEY_FAULTS:
        return None
    return replace(failure, retry_after_s=credential.pool.back_after_s(now, _expected_tokens(job)))


def other_account(job: Job, target: Target, one: str, other: str) -> bool:
    """Whether two credentials of a target's provider belong to different accounts, as far as is known."""
    if one == other:
        return False
    if CALLER in (one, other):
        return True
    pool = None if job.live is None else job.live.targets[target.index].provider.keys
    return pool is not None and pool.account(one) != pool.account(other)
