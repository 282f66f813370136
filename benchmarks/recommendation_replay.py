"""Whether a recommendation keeps its word: what it claims to save, and what it saves when it is followed.

    python -m benchmarks.recommendation_replay --requests 400 --seed 7

One server and its simulated provider, which bills by its own arithmetic. A route sends nine of ten requests
to a dear model, one to a cheap one. The server is asked for recommendations, the one that saves most is
applied through the API, and the very requests that the dear model had answered are sent again. The two bills
of the provider for them are the saving that really came. Prompts and limits on answers are drawn from a seed;
both models count tokens alike, and what they write differs by chance.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from tests.e2e.stack import Stack

ROUTE: Final = "/api/v1/routes/work"
ADVICE: Final = "/api/v1/analytics/recommendations"
CHAT: Final = "/v1/chat/completions"
CALLERS: Final = 8
PATIENCE_S: Final = 20.0
PRICES: Final[dict[str, dict[str, Any]]] = {
    "alpha/large": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15},
    "alpha/small": {"input_usd_per_mtok": 0.4, "output_usd_per_mtok": 1.6},
}
_ABLE: Final = "context_tokens: 128000, max_output_tokens: 4096, capabilities: [text, streaming]"
CONFIG: Final = f"""
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    api_key: key-of-alpha
    via: direct
    models:
      large: {{input_usd_per_mtok: 3, output_usd_per_mtok: 15, {_ABLE}}}
      small: {{input_usd_per_mtok: 0.4, output_usd_per_mtok: 1.6, {_ABLE}}}
analytics: {{baseline: alpha/large}}
"""
_WORDS: Final = ("harbour", "ledger", "window", "copper", "river", "signal", "garden", "paper", "engine")


class Replayed(NamedTuple):
    """Nano-dollars. `claimed` are low, expected and high of the period, `real` what the bills say."""

    requests: int
    before: int
    after: int
    claimed: tuple[int, int, int]
    monthly: tuple[int, int, int]
    sentence: str

    @property
    def real(self) -> int:
        return self.before - self.after

    @property
    def kept(self) -> bool:
        """Whether the real saving lies in the claimed interval."""
        return self.claimed[0] <= self.real <= self.claimed[2]


def bodies(count: int, seed: int) -> list[dict[str, Any]]:
    """Requests of many lengths, as much alike every time."""
    chance = random.Random(seed)
    return [
        {
            "model": "work",
            "max_tokens": chance.randint(8, 200),
            "messages": [
                {
                    "role": "user",
                    "content": f"{number} "
                    + " ".join(chance.choices(_WORDS, k=min(2000, int(chance.lognormvariate(4, 1))))),
                }
            ],
        }
        for number in range(count)
    ]


def replay(stack: Stack, count: int, seed: int) -> Replayed:
    """Asks, looks, applies and asks again. The stack runs CONFIG."""
    stack.run(_prices(stack))
    with stack.client() as client:
        _put(client, [("alpha/large", 9), ("alpha/small", 1)])
        asked = bodies(count, seed)
        dear = [body for body, model in zip(asked, _send(client, asked), strict=True) if model == "large"]
        _await_rows(client, count)
        before = _rows(client)["alpha/large"]
        assert before == _bill(stack, "alpha/large"), "rows and the provider's own bill agree"
        found = client.post(f"{ADVICE}/refresh").json()["recommendations"]
        move = next(one for one in found if one["kind"] == "move" and one["status"] == "open")
        assert move["evidence"]["from"] == "alpha/large", "it is the dear one that is to be left"
        _put(client, [(move["evidence"]["to"], 1)])
        small = _bill(stack, move["evidence"]["to"])
        answered = _send(client, dear)
        assert set(answered) == {move["evidence"]["to"].partition("/")[2]}, "the route was changed"
        after = _bill(stack, move["evidence"]["to"]) - small
        _await_rows(client, count + len(dear))  # whoever reads on must not see half of them
    return Replayed(
        len(dear),
        before,
        after,
        _interval(move["evidence"]["saved_in_period"]),
        _interval(move["estimated_saving"]),
        move["sentence"],
    )


async def _prices(stack: Stack) -> None:
    stack.simulator.set_prices(PRICES)


def _put(client: httpx.Client, targets: Sequence[tuple[str, float]]) -> None:
    body = {"strategy": "weighted", "targets": [{"target": name, "weight": share} for name, share in targets]}
    client.put(ROUTE, json=body).raise_for_status()


def _send(client: httpx.Client, asked: Sequence[dict[str, Any]]) -> list[str]:
    """The models that answered, in the order of the requests."""

    def one(body: dict[str, Any]) -> str:
        answer = client.post(CHAT, json=body)
        answer.raise_for_status()
        return str(answer.headers["x-interchange-model"]).rpartition("/")[2]

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(one, asked))


def _await_rows(client: httpx.Client, count: int) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while client.get("/api/v1/usage").json()["rows"][0]["requests"] < count:
        if time.monotonic() > give_up:
            raise TimeoutError("rows did not reach the database")
        time.sleep(0.1)


def _rows(client: httpx.Client) -> dict[str, int]:
    rows = client.get("/api/v1/usage", params={"by": "provider,model"}).json()["rows"]
    return {f"{row['provider']}/{row['model']}": row["cost_nano_usd"] for row in rows}


def _bill(stack: Stack, target: str) -> int:
    """What the provider charged for this target so far."""
    charges: list[int] = []

    async def ask() -> None:
        charges.append(_charged(stack.simulator.bill, target))

    stack.run(ask())
    return charges[0]


def _charged(bill: dict[str, Any], target: str) -> int:
    provider, _, model = target.partition("/")
    lines = [one for one in bill["models"] if (one["provider"], one["model"]) == (provider, model)]
    return sum(one[kind]["cost_nano_usd"] for one in lines for kind in ("answered", "interrupted"))


def _interval(estimate: dict[str, Any]) -> tuple[int, int, int]:
    return estimate["low_nano_usd"], estimate["expected_nano_usd"], estimate["high_nano_usd"]


def main() -> int:
    """Prints claim and truth; exit status 1 where the claim did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, Stack(Path(work) / "data", CONFIG) as stack:
        found = replay(stack, asked.requests, asked.seed)
    usd = 1e9
    low, expected, high = (each / usd for each in found.claimed)
    print(found.sentence)
    before, after = found.before / usd, found.after / usd
    print(f"replayed {found.requests} requests: {before:.6f} USD before, {after:.6f} after")
    print(f"claimed {expected:.6f} USD ({low:.6f} to {high:.6f}), saved {found.real / usd:.6f}")
    print("the claim held" if found.kept else "THE CLAIM DID NOT HOLD")
    return 0 if found.kept else 1


if __name__ == "__main__":
    sys.exit(main())
