"""Recorded decisions of a world whose truth is known."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from domain.backtest.reading import ArmDraw, Understanding
from domain.backtest.record import Chances, Record

COSTS: Mapping[str, float] = {"a/m": 1_000.0, "b/m": 400.0, "c/m": 700.0}
FAILS: Mapping[str, float] = {"a/m": 0.02, "b/m": 0.10, "c/m": 0.05}
TASKS = ("chat", "code")


def record(number: int = 1, **changes: Any) -> Record:
    plain = Record(
        request_id=f"req_{number:08d}",
        user_id="",
        session_id="",
        started_at_us=1_000_000 + number,
        duration_us=1_000,
        outcome="ok",
        strategy="weighted",
        first="a/m",
        propensity=0.7,
        candidates=2,
        fallbacks=0,
        affinity="",
        task="chat",
        request_bytes=400,
        input_tokens=100,
        output_tokens=50,
        cost_nano_usd=1_000,
        experiment="",
        arm="",
        demands="",
        score=None,
    )
    return plain._replace(**changes)


def chosen(random: Random, chances: Mapping[str, float]) -> str:
    names = list(chances)
    return random.choices(names, [chances[name] for name in names])[0]


def answered(random: Random, number: int, target: str, **changes: Any) -> Record:
    """Cost depends on the target, the task and the size together, so a model by target alone is wrong."""
    task, size = random.choice(TASKS), random.choice((100, 1_000, 30_000))
    factor = (2.0 if (task == "code") == (target == "a/m") else 0.5) * (1 + size / 10_000)
    failed = random.random() < FAILS[target] * (2 if task == "code" else 1)
    values: dict[str, Any] = {
        "first": target,
        "task": task,
        "request_bytes": size,
        "cost_nano_usd": round(COSTS[target] * factor * random.lognormvariate(0, 0.5)),
        "outcome": "error" if failed else "ok",
        "duration_us": round(1_000 * factor * random.lognormvariate(0, 0.3)),
    }
    return record(number, **(values | changes))


def logged(seed: int, count: int, chances: Mapping[str, float]) -> list[Record]:
    """Requests of a route that shares itself out like this."""
    random = Random(seed)
    found = []
    for number in range(count):
        target = chosen(random, chances)
        found.append(answered(random, number, target, propensity=chances[target], candidates=len(chances)))
    return found


def known(
    policy: Chances,
    candidates: int = 2,
    arm: Callable[[Record], ArmDraw | None] = lambda _record: None,
) -> Understanding:
    return Understanding(
        chances=lambda _record: policy,
        members=frozenset(policy),
        candidates=lambda _record: candidates,
        arm=arm,
    )
