"""A stack with everything beside text, and the simulated provider's own bill for it."""

from typing import Any

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

PRICES: dict[str, dict[str, Any]] = {
    "rank": {"input_usd_per_mtok": "0.05"},
    "rank-by-search": {"usd_per_search": "0.002"},
    "draw": {"input_usd_per_mtok": "5", "input_image_usd_per_mtok": "10", "output_usd_per_mtok": "40"},
    "draw-by-picture": {"usd_per_image": "0.04"},
    "speak": {"usd_per_million_characters": "15"},
    "speak-tokens": {"input_usd_per_mtok": "0.6", "output_audio_usd_per_mtok": "12"},
    "hear": {"input_usd_per_mtok": "2.5", "input_audio_usd_per_mtok": "6", "output_usd_per_mtok": "10"},
    "hear-by-second": {"usd_per_audio_minute": "0.006"},
}
_CAPABILITY = {"rank": "rerank", "draw": "image", "speak": "audio_out", "hear": "audio_in"}


def _model(name: str) -> str:
    prices = PRICES[name]
    units = {key: value for key, value in prices.items() if not key.endswith("_mtok")}
    said = [f"{key}: {value}" for key, value in prices.items() if key.endswith("_mtok")]
    if units:
        said.append("units: {" + ", ".join(f"{key}: {value}" for key, value in units.items()) + "}")
    return f"      {name}: {{capabilities: [{_CAPABILITY[name.partition('-')[0]]}], {', '.join(said)}}}\n"


def _provider(name: str, via: str = "direct") -> str:
    return (
        f'  {name}:\n    kind: openai\n    base_url: "{{sim}}/{name}/v1"\n    api_key: secret-{name}\n'
        f"    via: {via}\n    models:\n"
        "      omni-moderation-latest: {capabilities: [], input_usd_per_mtok: 0, output_usd_per_mtok: 0}\n"
        "      small: {capabilities: [text, streaming], input_usd_per_mtok: 1, output_usd_per_mtok: 1}\n"
        + "".join(_model(model) for model in PRICES)
    )


CONFIG = (
    "health: {minimum_samples: 100000, unavailable_consecutive_failures: 100000}\n"
    "breaker: {consecutive_failures: 1000, minimum_calls: 100000}\n"
    "providers:\n"
    + _provider("one")
    + _provider("two")
    + _provider("bare")
    + _provider("gated", via="portkey")
    + '  google:\n    kind: gemini\n    base_url: "{sim}/google"\n    api_key: k\n    via: direct\n'
    + "    models:\n"
    + _model("draw")
    + '  words:\n    kind: anthropic\n    base_url: "{sim}/words"\n    api_key: k\n    via: direct\n'
    + "    models: {small: {capabilities: [text, image], input_usd_per_mtok: 1, output_usd_per_mtok: 1}}\n"
    + "routes:\n"
    + "".join(
        f"  {model}: {{strategy: priority, targets: [one/{model}, two/{model}], retries: 0}}\n"
        for model in PRICES
    )
    + "  bare-first: {strategy: priority, targets: [bare/rank, two/rank], retries: 0}\n"
    + "  early: {targets: [one/speak], retries: 0, timeouts: {keep_alive_after_s: 0.05}}\n"
)


def wipe(stack: Stack) -> None:
    """A simulator that keeps nothing of earlier tests but its bill, and bills by `PRICES`."""
    simulate(stack, stack.simulator.clear_rules)
    simulate(stack, stack.simulator.clear_requests)
    simulate(stack, lambda: stack.simulator.set_prices(PRICES))


def billed(stack: Stack) -> int:
    """What the provider wants for all priced models together, in nano-dollars; it only grows."""
    bill: dict[str, Any] = simulate(stack, lambda: stack.simulator.bill)
    return sum(line["answered"]["cost_nano_usd"] or 0 for line in bill["models"])


def row(stack: Stack, request_id: str) -> dict[str, Any]:
    """The recorded request with its attempts."""

    def look() -> dict[str, Any] | None:
        with stack.client() as client:
            answer = client.get(f"/api/v1/requests/{request_id}")
        return answer.json() if answer.status_code == 200 else None

    found = eventually(look)
    assert found is not None
    return found
