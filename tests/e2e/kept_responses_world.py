"""Two accounts that keep answers, one provider that keeps none, and routes over them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

from tests.e2e.stack import Stack

_MODELS = (
    "{small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}, "
    "think: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, "
    "capabilities: [text, streaming, function_calling, reasoning]}}"
)


def _provider(name: str, kind: str, path: str) -> str:
    return (
        f'  {name}: {{kind: {kind}, base_url: "{{sim}}/{path}", api_key: key-of-{name}, via: direct, '
        f"models: {_MODELS}}}\n"
    )


_PROVIDERS = (
    _provider("first", "openai", "first/v1")
    + _provider("second", "openai", "second/v1")
    + _provider("other", "anthropic", "other")
)
CONFIG = f"""
providers:
{_PROVIDERS}
routes:
  both: {{strategy: priority, targets: [first/small, second/small], retries: 0}}
  reversed: {{strategy: priority, targets: [second/small, first/small], retries: 0}}
  thinking: {{strategy: priority, targets: [first/think, second/think], retries: 0}}
  kept: {{strategy: priority, targets: [other/small], retries: 0, responses: {{store: true}}}}
  kept-shortly: {{targets: [other/small], responses: {{store: true, retention_s: 0.2}}}}
  kept-anywhere:
    strategy: priority
    targets: [first/small, other/small]
    retries: 0
    responses: {{store: true}}
  keeps-nothing: {{targets: [other/small]}}
"""


def client_of(stack: Stack, key: str = "") -> openai.OpenAI:
    """The official SDK with one key, never repeating anything."""
    return openai.OpenAI(api_key=key or stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20)


def stranger_key(stack: Stack) -> str:
    """A key of another tenant."""
    with stack.client() as http:
        made = http.post(
            "/api/v1/keys", json={"tenant_id": "strangers", "name": "stranger", "role": "developer"}
        )
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


def asked(stack: Stack, provider: str) -> list[dict[str, Any]]:
    """The requests one simulated account got."""
    return [one for one in stack.simulator.requests if one["provider"] == provider]


def break_down(stack: Stack, provider: str, status: int) -> None:
    """The account refuses its next request with this status."""

    async def fault() -> None:
        stack.simulator.fault({"kind": "status", "status": status}, match={"provider": provider}, times=1)

    stack.run(fault())


def usage(stack: Stack) -> dict[str, Any]:
    """What has been billed so far, everything together."""
    with stack.client() as http:
        (total,) = http.get("/api/v1/usage").json()["rows"]
    found: dict[str, Any] = total
    return found


@contextmanager
def running(data_dir: Path) -> Iterator[Stack]:
    """A stack on a data directory, which may have been used before."""
    with Stack(data_dir, CONFIG) as stack:
        yield stack
