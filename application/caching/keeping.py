"""An answer of a provider as it is kept, or the reason why it is not."""

from collections.abc import Sequence
from typing import NamedTuple

from application.cache_course import CacheCourse
from application.job import Job
from application.ports.cache_reader import CacheReader
from application.ports.llm import Block, UpstreamAnswer
from domain.caching.entry import CachedAnswer
from domain.caching.policy import lifetime_s
from domain.caching.storing import Outcome, why_not_kept
from domain.llm.stream import ContentKind, Delta


class Given(NamedTuple):
    """What a provider gave, whole. `text` is plain text; empty where it is not all of the answer."""

    body: bytes
    content_type: str
    text: str
    called_tools: bool


def given_answer(reader: CacheReader, job: Job, answer: UpstreamAnswer) -> Given:
    """A unary answer. Its text is read only where answers are compared."""
    dialect, body = job.request.dialect, answer.body
    tools = not job.request.plain_text and reader.calls_tools(dialect, body)
    compared = job.course is not None and job.course.policy.mode.looks_for_similar
    text = reader.answer_text(dialect, body) if compared and not tools else ""
    return Given(body, answer.content_type, text, tools)


def given_stream(blocks: Sequence[Block]) -> Given:
    """A complete stream, as one. Its text is empty when it said anything but text."""
    texts: list[str] = []
    plain, tools = True, False
    for block in blocks:
        for event in block.events:
            if type(event) is not Delta:
                continue
            if event.kind is ContentKind.TEXT:
                texts.append(event.text)
            elif event.kind is ContentKind.TOOL_CALL:
                plain, tools = False, True
            elif event.kind is not ContentKind.REASONING:
                plain = False
    body = b"".join(block.raw for block in blocks)
    return Given(body, "text/event-stream", "".join(texts) if plain else "", tools)


def kept(job: Job, course: CacheCourse, given: Given, now_us: int) -> CachedAnswer | str:
    """The entry, or in one word why there must be none."""
    target, policy = job.answered_by, course.policy
    if target is None or not job.attempts:
        return "nobody_answered"
    outcome = Outcome(
        finish_reason=job.finish_reason,
        complete=job.attempts[-1].outcome == "ok",
        continued=job.continued,
        called_tools=given.called_tools,
        size_bytes=len(given.body),
    )
    if why := why_not_kept(outcome, policy):
        return why
    attempt = job.attempts[-1]
    if job.cut_to_budget and attempt.output_tokens >= (job.max_tokens_set or 0):
        return "truncated_or_filtered"  # whatever its server calls that end
    expires_at_us = now_us + int(lifetime_s(policy, course.wish) * 1e6)
    return CachedAnswer(
        key=course.key,
        tenant_id=job.principal.tenant_id,
        route=job.plan.route.name,
        namespace=course.partition.namespace,
        tags=tuple(dict.fromkeys((*policy.tags, *course.wish.tags))),
        dialect=job.request.dialect,
        streamed=job.request.stream,
        body=given.body,
        content_type=given.content_type,
        finish_reason=job.finish_reason,
        target_id=target.id,
        provider=target.provider,
        model=target.model,
        region=target.region or "",
        simulated=target.simulated,
        input_tokens=attempt.input_tokens,
        output_tokens=attempt.output_tokens,
        cost_nano_usd=job.cost_nano_usd,
        made_at_us=now_us,
        expires_at_us=expires_at_us,
        kept_until_us=expires_at_us + int(max(policy.stale_s, policy.stale_if_error_s) * 1e6),
        heard=course.heard,
        text=given.text,
        question=course.question,
        dropped=job.dropped,
        via=job.via,
    )
