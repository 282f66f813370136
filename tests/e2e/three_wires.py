"""One stack in front of three upstream wires: `alpha` speaks OpenAI's, `beta` Anthropic's, `gamma` Gemini's.

Each provider has the same models, so that a test can be run against all three. Models named `fail-…` are
for faults: each is a target of its own, whose breaker and cool-down trouble no other test.
"""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.e2e.stack import Stack

T = TypeVar("T")

PATIENCE_S = 20.0
"""Long enough for a busy machine; nobody waits for it where all is well."""

WIRES = ("alpha", "beta", "gamma")
TRANSLATED = ("beta", "gamma")
FAULTY_STATUSES = (400, 401, 403, 404, 413, 418, 422, 429, 500, 503, 529)

FAILING = tuple(f"fail-{status}{mode}" for status in FAULTY_STATUSES for mode in ("", "-streamed", "-again"))
"""Models and, behind the wire's name, routes without retries: `alpha-fail-500` asks `alpha/fail-500`."""

_CHAT = "[text, streaming, function_calling, vision, structured_output]"
_PRICE = "input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000, max_output_tokens: 4096"


def _models() -> str:
    lines = [
        f"small: &chat {{{_PRICE}, capabilities: {_CHAT}}}",
        "ctx40: *chat",
        "refuser: *chat",
        f"think: {{{_PRICE}, capabilities: [text, streaming, function_calling, reasoning]}}",
        "embed: {input_usd_per_mtok: 0.02, context_tokens: 8192, capabilities: [embeddings]}",
        *(f"{name}: *chat" for name in FAILING),
    ]
    return "&models\n" + "\n".join(f"      {line}" for line in lines)


def _provider(name: str, kind: str, base_url: str) -> str:
    # Said once: dozens of servers start with this, and reading YAML is most of a start.
    models = _models() if name == WIRES[0] else "*models"
    return (
        f'  {name}:\n    kind: {kind}\n    base_url: "{base_url}"\n    api_key: provider-secret-{name}\n'
        f"    via: direct\n    models: {models}\n"
    )


CONFIG = (
    # Faults on purpose must not take a provider away from the tests that follow.
    "health: {minimum_samples: 100000, unavailable_consecutive_failures: 100000}\n"
    "breaker: {consecutive_failures: 1000, minimum_calls: 100000}\n"
    "providers:\n"
    + _provider("alpha", "openai", "{sim}/alpha/v1")
    + _provider("beta", "anthropic", "{sim}/beta")
    + _provider("gamma", "gemini", "{sim}/gamma")
    + "routes:\n"
    + "  assistant: {strategy: priority, targets: [alpha/small, beta/small], retries: 0}\n"
    + "  assistant-translated-first: {strategy: priority, targets: [beta/small, alpha/small], retries: 0}\n"
    + "".join(
        f"  {wire}-patient: {{targets: [{wire}/small], retries: 0, timeouts: {{keep_alive_after_s: 0.05}}}}\n"
        for wire in WIRES
    )
    + "".join(
        f"  {wire}-{name}: {{targets: [{wire}/{name}], retries: 0, max_fallbacks: 0}}\n"
        for wire in WIRES
        for name in FAILING
    )
)


def simulate(stack: Stack, act: Callable[[], T]) -> T:
    """Does something to the simulator on its own loop."""

    async def on_the_loop() -> T:
        return act()

    return stack.run(on_the_loop())


def sent(stack: Stack, provider: str) -> dict[str, Any]:
    """The body of the last request the simulated provider got under this name."""
    bodies = [one["body"] for one in stack.simulator.requests if one["provider"] == provider]
    assert bodies, f"nothing reached {provider}"
    last: dict[str, Any] = bodies[-1]
    return last


def sent_headers(stack: Stack, provider: str) -> dict[str, str]:
    """The headers of the last request the simulated provider got under this name, names in lower case."""
    found = [one["headers"] for one in stack.simulator.requests if one["provider"] == provider]
    assert found, f"nothing reached {provider}"
    return {name.lower(): value for name, value in found[-1].items()}


def sse_events(text: str) -> list[Any]:
    """The JSON of each `data:` line of a stream; `[DONE]` stays text."""
    datas = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def eventually(look: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """The first thing seen that is not empty; usage rows reach the database in groups, a little later.

    Raises:
        AssertionError: nothing came in this time, so that no caller goes on with what is not there yet.
    """
    give_up = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < give_up, f"it did not come within {within_s:g} s: {seen!r}"
        time.sleep(0.02)
    return seen


def pixel() -> str:
    """A one-pixel PNG, base64."""
    return "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


WEATHER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
