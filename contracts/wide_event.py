"""Every field of the wide event, as data: the published schema, the API's description and the documentation
follow it.

One event tells everything worth knowing about one request; metrics, usage rows, traces and the explorer are
made of it. Fields may be added, always behind those there are; they are never renamed or given another
meaning. `docs/wide-event.md` and `contracts/schemas/request.wide.json` are written from this list by
`python -m contracts.wide_event_page`.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args, get_type_hints

from domain.analytics.event import AttemptEvent, RequestEvent


class WideField(NamedTuple):
    """`unit` is empty for what is not measured."""

    group: str
    unit: str
    meaning: str


US: Final = "microseconds"
EPOCH_US: Final = "microseconds since 1970-01-01 UTC"
NANO_USD: Final = "nano-dollars (1e-9 USD)"
TOKENS: Final = "tokens"
BYTES: Final = "bytes"
COUNT: Final = "count"

_WHO, _WHAT, _ANSWER, _TIME = "Who asked", "What was asked", "Who answered", "Time"
_SIZE, _MONEY, _DECISION = "Sizes and tokens", "Money", "Decision"
_CACHE, _POLICY, _STREAM = "Cache", "Policies", "Stream and quality"

REQUEST_FIELDS: Final[Mapping[str, WideField]] = {
    "request_id": WideField(_WHO, "", "Ours, unique, rising with time; the answer's `x-request-id`."),
    "tenant_id": WideField(_WHO, "", "Whose request it was."),
    "key_id": WideField(_WHO, "", "Id of the key, or of the identity behind a token."),
    "agent_id": WideField(_WHO, "", "As the caller says, bounded."),
    "user_id": WideField(_WHO, "", "As the caller says, bounded; forgotten on request."),
    "session_id": WideField(_WHO, "", "The conversation, as the caller says; forgotten on request."),
    "workflow_id": WideField(_WHO, "", "As the caller says; a batch's id for its lines."),
    "client_request_id": WideField(_WHO, "", "The caller's own id for it, as given; not unique."),
    "operation": WideField(_WHAT, "", "`chat`, `embeddings`, `tool` and others."),
    "dialect": WideField(_WHAT, "", "The shape the caller spoke, such as `openai.chat`."),
    "model_asked": WideField(_WHAT, "", "What the caller named: a route, a model or a tool."),
    "route": WideField(_DECISION, "", "The route it took."),
    "strategy": WideField(_DECISION, "", "How the route chooses; empty: nothing was chosen."),
    "provider": WideField(_ANSWER, "", "Who answered; empty when nobody did."),
    "model": WideField(_ANSWER, "", "The model that answered."),
    "via": WideField(_ANSWER, "", "`direct` or `gateway`."),
    "outcome": WideField(_ANSWER, "", "`ok`, `error`, `cut`, `cancelled` or `refused`."),
    "status": WideField(
        _ANSWER,
        "HTTP status",
        "What the caller got, refusals included (402, 403, 429, 503 and others); of a batch's line: what a "
        "caller would have got; 499: it had left; 0: nobody was answered. Older rows of refusals have 0.",
    ),
    "error_code": WideField(_ANSWER, "", "Of our error, such as `budget_exceeded`; empty: none."),
    "streamed": WideField(_WHAT, "", "Whether the caller asked for a stream."),
    "simulated": WideField(_ANSWER, "", "Whether a simulator answered, so that nothing was bought."),
    "started_at_us": WideField(_TIME, EPOCH_US, "When it had been read and understood."),
    "duration_us": WideField(_TIME, US, "From then to its end."),
    "upstream_us": WideField(
        _TIME, US, "Waiting for providers and tools. `duration_us` less this and `queue_us` is ours."
    ),
    "plan_us": WideField(
        _TIME, US, "Making the plan. In rows before migration 0029: everything before it too."
    ),
    "queue_us": WideField(_TIME, US, "Waiting for units of a rate limit; a part of `admit_us`."),
    "first_token_us": WideField(_TIME, US, "From `started_at_us` to a stream's first content; null: none."),
    "request_bytes": WideField(_SIZE, BYTES, "The body as it was sent on, before a provider's translation."),
    "response_bytes": WideField(_SIZE, BYTES, "What the caller was given."),
    "input_tokens": WideField(_SIZE, TOKENS, "Of all attempts, cached ones included."),
    "output_tokens": WideField(_SIZE, TOKENS, "Of all attempts, reasoning included."),
    "cached_read_tokens": WideField(_SIZE, TOKENS, "Read from the provider's prompt cache."),
    "cache_write_tokens": WideField(_SIZE, TOKENS, "Written to it."),
    "reasoning_tokens": WideField(_SIZE, TOKENS, "Thought rather than said."),
    "cost_nano_usd": WideField(_MONEY, NANO_USD, "The bill of all attempts; null: unknown."),
    "estimated": WideField(_MONEY, "", "Whether some of it was counted by us, not told by providers."),
    "candidates": WideField(_DECISION, COUNT, "Targets that satisfied every hard demand."),
    "attempts_made": WideField(_ANSWER, COUNT, "Calls to targets."),
    "fallbacks": WideField(_ANSWER, COUNT, "Other targets tried or passed over before."),
    "continued": WideField(_STREAM, "", "Whether a broken stream was finished by another attempt."),
    "finish_reason": WideField(_ANSWER, "", "`stop`, `length` and others; empty: it did not end."),
    "cache": WideField(
        _CACHE,
        "",
        "What the cache did: `off`, `bypass`, `miss`, `observe` or `hit-…`. Of what ran beside callers' "
        "requests, why: `refresh`, `audit` or `shadow`.",
    ),
    "dropped": WideField(_WHAT, "", "Parameters the target does not know, comma separated."),
    "metadata": WideField(_WHO, "", "The caller's `x-interchange-metadata`, JSON; forgotten on request."),
    "affinity": WideField(
        _DECISION, "", "What the warm prompt cache did to the choice: `kept`, `moved`, `new`, or empty."
    ),
    "reason": WideField(_DECISION, "", "One line for people: why this target answered."),
    "team": WideField(_WHO, "", "Of the key, as it was then."),
    "project": WideField(_WHO, "", "Of the key, as it was then."),
    "cost_center": WideField(_WHO, "", "Of the key, as it was then."),
    "saved_nano_usd": WideField(
        _CACHE,
        NANO_USD,
        "What an earlier or shared answer had cost, and this one did not; null: unknown.",
    ),
    "cache_similarity": WideField(
        _CACHE, "cosine", "Of the question to the one answered before; null: not compared."
    ),
    "entry_us": WideField(
        _TIME,
        US,
        "From its head to `started_at_us`: who calls, reading the body. Not in `duration_us`.",
    ),
    "admit_us": WideField(_TIME, US, "Rights, limits, privacy and guardrails, before caches and the plan."),
    "cache_us": WideField(_TIME, US, "Looking for an answer in caches, all tiers."),
    "hold_us": WideField(_TIME, US, "Holding money, for all attempts together."),
    "trace_id": WideField(_WHO, "", "Of the W3C trace it belongs to, 32 hexadecimal digits; empty: none."),
    "parent_span_id": WideField(_WHO, "", "The caller's span in it, 16 hexadecimal digits; empty: none."),
    "planned": WideField(
        _DECISION, "", "Targets in the order of the plan, `provider/model`, comma separated, at most 8."
    ),
    "left_out": WideField(
        _DECISION,
        "",
        "Why other targets of the route were left out, `reason=count`, comma separated; of those that cannot "
        "be used now, as far down the ranking as was looked. Empty: none, or the route has one target.",
    ),
    "demands": WideField(
        _DECISION, "", "What the caller demanded, `name=value`, comma separated; empty: nothing."
    ),
    "privacy": WideField(
        _POLICY,
        "",
        "What privacy policies that enforce did to request and answer, `action:KIND=count`, comma separated. "
        "Policies that only count do so later, and are not told here.",
    ),
    "guardrails": WideField(
        _POLICY, "", "Guardrails that objected to request or answer, whatever followed, comma separated."
    ),
    "breaker_skips": WideField(
        _DECISION, COUNT, "Targets passed over because a breaker was open, by the plan or after it."
    ),
    "chunks": WideField(_STREAM, COUNT, "Blocks of a stream that were delivered; 0 for whole answers."),
    "gap_max_us": WideField(
        _STREAM, US, "The longest pause between two blocks of a provider's stream; null: there were not two."
    ),
    "checks": WideField(
        _STREAM, "", "What automatic checks found: `truncated`, `empty`, `refusal`, `cut`; empty: nothing."
    ),
    "task": WideField(
        _STREAM, "", "Kind of task: `chat`, `code`, `extraction`, `tools`, `vision`, `embedding` and others."
    ),
    "budget_left_nano_usd": WideField(
        _MONEY,
        NANO_USD,
        "Left of the tenant's tightest hard budget, as this instance knew; null: none concerned it.",
    ),
    "experiment": WideField(_DECISION, "", "Id of the experiment it took part in; empty: none."),
    "arm": WideField(_DECISION, "", "The experiment's arm that answered it; empty: none."),
    "traced": WideField(_WHO, "", "Whether its trace is recorded here, as was decided when it began."),
    "propensity": WideField(
        _DECISION,
        "probability",
        "The chance that the first of `planned` was chosen, given everything the choice could see; 1: "
        "nothing was drawn; null: nothing was planned, or there were too many to tell. In older rows "
        "null.",
    ),
    "attempts": WideField(_ANSWER, "", "Every call to a target, in order."),
}

ATTEMPT_FIELDS: Final[Mapping[str, WideField]] = {
    "attempt_id": WideField("", "", "`request_id.ordinal`."),
    "request_id": WideField("", "", "The request it belongs to."),
    "ordinal": WideField("", COUNT, "0 is the first of its request."),
    "provider": WideField("", "", "Who was asked."),
    "model": WideField("", "", "For which model."),
    "via": WideField("", "", "`direct` or `gateway`."),
    "outcome": WideField(
        "",
        "",
        "`ok`, a failure kind, `cancelled`, or `unresolved`: nobody knows whether it was billed.",
    ),
    "status": WideField("", "HTTP status", "Of a failure, where the provider gave one; null: it did not."),
    "started_at_us": WideField("", EPOCH_US, "When it was sent, money being held."),
    "duration_us": WideField("", US, "To its end; a stream's is as long as its caller reads."),
    "first_token_us": WideField("", US, "From its start to the first content; null: there was none."),
    "input_tokens": WideField("", TOKENS, "Cached ones included."),
    "output_tokens": WideField("", TOKENS, "Reasoning included."),
    "cached_read_tokens": WideField("", TOKENS, "Read from the provider's prompt cache."),
    "cache_write_tokens": WideField("", TOKENS, "Written to it, for its usual time."),
    "cache_write_long_tokens": WideField("", TOKENS, "Written to it, for longer."),
    "reasoning_tokens": WideField("", TOKENS, "Thought rather than said."),
    "audio_tokens": WideField("", TOKENS, "Of sound, read and made."),
    "image_tokens": WideField("", TOKENS, "Of pictures, read and made."),
    "cost_nano_usd": WideField("", NANO_USD, "Its bill; null: unknown."),
    "estimated": WideField("", "", "Whether it was counted by us, not told by the provider."),
    "price_source": WideField("", "", "Where its prices came from."),
    "retry_after_us": WideField("", US, "For how long it asked to be left alone; null: it did not."),
    "message": WideField("", "", "Short and safe: why it failed; empty when it did not."),
    "credential": WideField(
        "", "", "Id of the provider's key that was used; `caller`: the caller's; empty: the only one."
    ),
    "billed_as": WideField(
        "", "", "Which prices applied: empty for the usual ones, a variant's name, `batch`, or `caller`."
    ),
    "units": WideField("", "", "What was counted beside tokens, as `images:1024x1024=2`; empty: nothing."),
    "ledger": WideField("", "", "What it did to budgets; empty: no budget was concerned."),
    "prompt_cache_saved_nano_usd": WideField(
        "",
        NANO_USD,
        "What the prompt cache saved, less the surcharge for writing it; null: unknown.",
    ),
}

_TYPES: Final[Mapping[type, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema() -> dict[str, Any]:
    """JSON Schema of the wide event. Units are in each field's `x-unit`."""
    attempt = _object(AttemptEvent, ATTEMPT_FIELDS)
    request = _object(RequestEvent, REQUEST_FIELDS)
    request["properties"]["attempts"] = {
        "type": "array",
        "description": REQUEST_FIELDS["attempts"].meaning,
        "items": {"$ref": "#/$defs/attempt"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "request.wide",
        "description": "One request as it was answered: metrics, usage, traces and the explorer "
        "are made of. Fields may be added. No prompt, no answer and no secret is in it.",
        **request,
        "$defs": {"attempt": attempt},
    }


def _object(event: type[Any], told: Mapping[str, WideField]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, hint in get_type_hints(event).items():
        if name == "attempts":
            continue
        kinds = [_TYPES[kind] for kind in get_args(hint) or (hint,) if kind is not type(None)]
        optional = type(None) in get_args(hint)
        field = told[name]
        properties[name] = {
            "type": [*kinds, "null"] if optional else kinds[0],
            "description": field.meaning,
            **({"x-unit": field.unit} if field.unit else {}),
        }
    return {"type": "object", "required": list(event._fields), "properties": properties}
