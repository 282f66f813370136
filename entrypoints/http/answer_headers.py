"""What answers tell about themselves in headers (SPEC section 9)."""

import re
from functools import lru_cache
from typing import Final

from application.affinity import explain_outcome
from application.cache_course import CacheCourse
from application.job import Job
from domain.caching.effect import HIT_SEMANTIC
from domain.money import format_usd
from entrypoints.http.asgi import RawHeaders
from entrypoints.http.limit_headers import limit_headers

_NOT_VISIBLE: Final = re.compile(r"[^\x20-\x7e]")
_NAMES_BYTES_MAX: Final = 2000
TRACE_ID: Final = b"x-interchange-trace-id"
RECORDED: Final = (b"x-interchange-recorded", b"1")


def answer_headers(job: Job, now: float, *, with_cost: bool = True) -> RawHeaders:
    """What every answer tells about itself (SPEC section 9, response headers)."""
    target = job.answered_by
    assert target is not None
    reused = job.cache.startswith("hit")
    # The attempt of a running stream has no row yet.
    attempts = len(job.attempts) + (0 if with_cost or job.recorded or reused else 1)
    headers: RawHeaders = [
        (b"x-request-id", job.request_id.encode()),
        *_target_headers(target.provider, target.model, target.simulated, job.cache),
        (b"x-interchange-attempts", b"%d" % (attempts if reused else max(1, attempts))),
        (b"x-interchange-fallback", b"true" if job.fallbacks else b"false"),
        (b"x-interchange-via", job.via.encode()),
        (b"x-interchange-overhead-ms", b"%.3f" % max(0.0, (now - job.started - job.upstream_s) * 1e3)),
    ]
    if job.course is not None:
        headers += _kept_headers(job, job.course)
    if with_cost or reused:
        cost = job.cost_nano_usd
        headers.append((b"x-interchange-cost-usd", b"unknown" if cost is None else format_usd(cost).encode()))
        headers.append((b"x-interchange-cost-estimated", b"true" if job.cost_estimated else b"false"))
    if job.budget_left_nano_usd is not None:
        left = format_usd(job.budget_left_nano_usd)
        headers.append((b"x-interchange-budget-remaining-usd", left.encode()))
    if job.limited is not None:
        headers += limit_headers(job, now)
    if job.max_tokens_set is not None:
        headers.append((b"x-interchange-max-tokens", b"%d" % job.max_tokens_set))
    if job.recording:
        headers.append(RECORDED)
    if job.tracing is not None and job.tracing.recorded:
        headers.append((TRACE_ID, job.tracing.trace_id.encode()))
    if job.trace:
        headers.append(trace_header(job))
    if job.guardrail_warnings:
        headers.append((b"x-interchange-guardrail-warnings", _visible(",".join(job.guardrail_warnings))))
    if job.dropped:
        headers.append((b"x-interchange-dropped", _visible(",".join(job.dropped))))
    return headers


def _visible(text: str) -> bytes:
    """A header value of names that callers chose: a line break in one must not be one in the answer."""
    return _NOT_VISIBLE.sub("?", text).encode("ascii")[:_NAMES_BYTES_MAX]


def _kept_headers(job: Job, course: CacheCourse) -> RawHeaders:
    """Where the answer is kept, how old it is, and, of an answer to a similar question, how similar that was
    and by which rule it was served: `threshold` keeps to no rate of errors."""
    headers: RawHeaders = [(b"x-interchange-cache-key", course.key.hex().encode())]
    if course.hit is not None:
        age_s = max(0, job.started_at_us - course.hit.made_at_us) // 1_000_000
        headers.append((b"x-interchange-cache-age", b"%d" % age_s))
        if job.cache == HIT_SEMANTIC:
            headers.append((b"x-interchange-cache-mode", course.policy.mode.value.encode()))
            if job.similarity is not None:
                headers.append((b"x-interchange-cache-similarity", b"%.3f" % job.similarity))
    return headers


@lru_cache(maxsize=4096)
def _target_headers(provider: str, model: str, simulated: bool, cache: str) -> RawHeaders:
    """What is the same for every answer of one target."""
    headers: RawHeaders = [
        (b"x-interchange-provider", provider.encode("latin-1", "replace")),
        (b"x-interchange-model", model.encode("latin-1", "replace")),
        (b"x-interchange-cache", cache.encode()),
    ]
    return [*headers, (b"x-interchange-simulated", b"true")] if simulated else headers


def failure_headers(job: Job, now: float) -> RawHeaders:
    """What a failed request tells about what was tried."""
    headers: RawHeaders = [
        (b"x-interchange-attempts", b"%d" % len(job.attempts)),
        (b"x-interchange-overhead-ms", b"%.3f" % max(0.0, (now - job.started - job.upstream_s) * 1e3)),
    ]
    if job.recording:
        headers.append(RECORDED)
    if job.tracing is not None and job.tracing.recorded:
        headers.append((TRACE_ID, job.tracing.trace_id.encode()))
    return [*headers, trace_header(job)] if job.trace else headers


def trace_header(job: Job) -> tuple[bytes, bytes]:
    """The decision in one line: route, strategy, then each attempt with its outcome."""
    explain_outcome(job)
    said = f" affinity={job.affinity}" if job.affinity else ""
    said += f" reason={job.reason}" if job.reason else ""
    said += f" switched_by={job.switched_by}" if job.switched_by else ""
    steps = ";".join(f"{a.provider}/{a.model} via {a.via}: {a.outcome}" for a in job.attempts)
    plan = job.plan
    text = f"route={plan.route.name} strategy={plan.strategy} candidates={plan.candidates}{said} {steps}"
    return (b"x-interchange-trace", text.encode("latin-1", "replace")[:2000])
