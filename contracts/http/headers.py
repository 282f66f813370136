"""Headers callers may send and answers carry, and where keys are accepted."""

from typing import Any

from contracts.http.words import Schema, integer, number, one_of, text


def _header(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    parameter["name"]: parameter
    for parameter in (
        _header("x-request-id", "The caller's own id of this request.", text(pattern=r"^[\w.:-]{1,64}$")),
        _header("idempotency-key", "Repeats within 24 h get the first answer again.", text(maxLength=255)),
        _header("x-interchange-capabilities", "Comma list from the closed list of capabilities.", text()),
        _header("x-interchange-max-cost-per-token", "USD, blended.", number(exclusiveMinimum=0)),
        _header("x-interchange-max-cost-usd", "USD for this request.", number(exclusiveMinimum=0)),
        _header("x-interchange-max-latency-ms", "Predicted 95th percentile.", integer(minimum=1)),
        _header("x-interchange-residency", "A region that must not be left.", text()),
        _header("x-interchange-quality-floor", "Lowest accepted quality.", number(minimum=0, maximum=1)),
        _header("x-interchange-strategy", "How eligible targets are ranked.", text()),
        _header("x-interchange-affinity", "`off`: a warm prompt cache has no say.", one_of(["on", "off"])),
        _header(
            "x-interchange-cache",
            "`no-cache`: a fresh answer, which is kept. `no-store` (or `off`): nothing read, nothing kept.",
            text(pattern=r"^(no-store|no-cache|off)(, ?(no-store|no-cache|off))*$"),
        ),
        _header(
            "x-interchange-cache-ttl",
            "Seconds: how old an answer may be, and how long this one is kept; at most what the route says.",
            number(exclusiveMinimum=0, maximum=7_776_000),
        ),
        _header(
            "x-interchange-cache-namespace",
            "Answers are shared within it only.",
            text(pattern=r"^[A-Za-z0-9._:/-]{1,128}$"),
        ),
        _header(
            "x-interchange-cache-tags",
            "Comma list of at most 16 tags by which the answer can be invalidated.",
            text(pattern=r"^[A-Za-z0-9._:/-]{1,64}(, ?[A-Za-z0-9._:/-]{1,64}){0,15}$"),
        ),
        _header("x-interchange-agent-id", "Which agent asks; for reports.", text(maxLength=256)),
        _header("x-interchange-user-id", "For which user; for reports.", text(maxLength=256)),
        _header("x-interchange-session-id", "In which session; for reports.", text(maxLength=256)),
        _header("x-interchange-workflow-id", "In which workflow; for reports.", text(maxLength=256)),
        _header("x-interchange-metadata", "A JSON object of at most 4096 bytes.", text(maxLength=4096)),
        _header("x-interchange-trace", "`1` shows the decision in `x-interchange-trace`.", one_of(["1"])),
    )
}

ANTHROPIC_VERSION = _header(
    "anthropic-version", "With it, the answer has Anthropic's shape.", text(examples=["2023-06-01"])
)

RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "x-request-id": {"description": "Id of this request, the caller's own if it gave one.", "schema": text()},
    "x-interchange-provider": {"description": "Who answered.", "schema": text()},
    "x-interchange-model": {"description": "With which model.", "schema": text()},
    "x-interchange-cost-usd": {
        "description": "Exact cost of all attempts in USD, or `unknown`. Streams tell it at their end.",
        "schema": text(pattern=r"^(unknown|\d+(\.\d+)?)$"),
    },
    "x-interchange-cost-estimated": {
        "description": "Tokens were counted by us, because the provider told none.",
        "schema": one_of(["true", "false"]),
    },
    "x-interchange-cache": {"description": "What the cache did.", "schema": text()},
    "x-interchange-attempts": {"description": "Calls to providers.", "schema": integer(minimum=0)},
    "x-interchange-fallback": {
        "description": "Another target answered than the first choice.",
        "schema": one_of(["true", "false"]),
    },
    "x-interchange-via": {"description": "`direct` or `portkey`.", "schema": text()},
    "x-interchange-overhead-ms": {"description": "Time spent here.", "schema": number(minimum=0)},
    "x-interchange-budget-remaining-usd": {
        "description": "What is left of the caller's tightest hard budget, as decimal text, as far as this "
        "instance was told.",
        "schema": text(),
    },
    "x-interchange-max-tokens": {
        "description": "The limit on the answer that was put in, or lowered, here.",
        "schema": integer(minimum=1),
    },
    "x-interchange-guardrail-warnings": {
        "description": "Guardrails that object without stopping it, as a comma list.",
        "schema": text(),
    },
    "x-interchange-dropped": {
        "description": "Fields that did not reach the provider, as a comma list.",
        "schema": text(),
    },
    "x-interchange-estimated": {
        "description": "The count is our estimate; the provider counts nothing.",
        "schema": one_of(["true"]),
    },
    "x-interchange-simulated": {
        "description": "The built-in simulated provider answered.",
        "schema": one_of(["true"]),
    },
    "x-interchange-recorded": {
        "description": "Its prompt, its answer or both are kept, because its route or key asks for that.",
        "schema": one_of(["1"]),
    },
    "x-interchange-trace": {"description": "The decision in one line, when asked for.", "schema": text()},
    "x-interchange-idempotent-replay": {
        "description": "This is the answer to an earlier request with the same `idempotency-key`.",
        "schema": one_of(["true"]),
    },
}
ALWAYS = ("x-request-id",)
"""On every JSON answer behind a key."""
ON_ANSWERS = (
    "x-interchange-provider",
    "x-interchange-model",
    "x-interchange-cache",
    "x-interchange-attempts",
    "x-interchange-fallback",
    "x-interchange-via",
    "x-interchange-overhead-ms",
)
"""On every model's answer; the others of the table come when they apply."""

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <key>"},
    **{
        name: {"type": "apiKey", "in": "header", "name": name}
        for name in ("x-interchange-key", "x-portkey-api-key", "x-api-key", "api-key", "x-goog-api-key")
    },
}
