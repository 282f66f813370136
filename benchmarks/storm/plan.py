"""What a storm does, and when: all of it from the seed."""

import random
from enum import Enum
from typing import Any, NamedTuple

PAUSE_S = 10.0


class Strike(Enum):
    """What happens to a whole process or server."""

    KILL = "kill an instance"
    """SIGKILL to the supervisor and its workers, a second of nothing, then a start on the same directory."""
    EMPTY_REDIS = "restart Redis empty"
    PAUSE_DATABASE = "pause the database"


EVERYBODY = -1


class Planned(NamedTuple):
    """One strike. `target` is the number of an instance or node, or all of them."""

    at_s: float
    strike: Strike
    target: int = EVERYBODY
    for_s: float = 0.0

    @property
    def what(self) -> str:
        """For people."""
        return self.strike.value if self.target == EVERYBODY else f"{self.strike.value}: {self.target}"


class Mishap(NamedTuple):
    """A fault of the provider that strikes single requests by chance."""

    fault: dict[str, Any]
    match: dict[str, Any]


class Plan(NamedTuple):
    """Everything that goes wrong."""

    strikes: tuple[Planned, ...]
    mishaps: tuple[Mishap, ...]
    spells: tuple[tuple[float, float, Mishap], ...]
    """Begin, length, and what a provider answers all the while."""

    def lines(self) -> list[str]:
        """For people."""
        strikes = [f"{planned.at_s:6.1f} s  {planned.what}" for planned in self.strikes]
        spells = [
            f"{at_s:6.1f} s  {mishap.match['provider']}: {mishap.fault['kind']} for {for_s:.1f} s"
            for at_s, for_s, mishap in self.spells
        ]
        return sorted(strikes + spells)


def plan_for(
    seed: int, seconds: float, *, instances: int, pauses: bool, redis_nodes: int, kills: int = 1
) -> Plan:
    """The same seed and extent give the same plan."""
    chance = random.Random(seed)
    strikes = [
        Planned(
            seconds * (0.2 + 0.6 * (number + chance.random()) / kills),
            Strike.KILL,
            chance.randrange(instances),
        )
        for number in range(kills)
    ]
    if pauses:
        strikes.append(Planned(seconds * chance.uniform(0.35, 0.5), Strike.PAUSE_DATABASE, for_s=PAUSE_S))
    if redis_nodes:
        strikes += [
            Planned(seconds * chance.uniform(low, low + 0.15), Strike.EMPTY_REDIS, target)
            for low, target in (
                (0.15, chance.randrange(redis_nodes)),
                (0.6, EVERYBODY),
                (0.8, chance.randrange(redis_nodes)),
            )
        ]
    return Plan(
        tuple(sorted(strikes, key=lambda planned: planned.at_s)),
        tuple(_mishaps(chance)),
        tuple(_spells(chance, seconds)),
    )


def _mishaps(chance: random.Random) -> list[Mishap]:
    faults: list[dict[str, Any]] = [
        {"kind": "status", "status": 500, "p": 0.03},
        {"kind": "status", "status": 429, "retry_after_s": 0, "p": 0.02},
        {"kind": "status", "status": 400, "p": 0.01},
        {"kind": "reset_before_headers", "p": 0.015},
        {"kind": "close_before_headers", "p": 0.01},
        {"kind": "slow_headers", "delay_s": 3.0, "p": 0.01},
        {"kind": "slow_first_token", "delay_s": 3.0, "p": 0.01},
        {"kind": "cut_after", "tokens": 5, "p": 0.02},
        {"kind": "cut_after", "tokens": 3, "how": "close", "terminator": True, "p": 0.01},
        {"kind": "stall_after", "tokens": 4, "p": 0.01},
        {"kind": "malformed_chunk_after", "tokens": 2, "p": 0.01},
        {"kind": "bad_chunking_after", "tokens": 6, "p": 0.01},
        {"kind": "error_frame_after", "tokens": 3, "p": 0.015},
        {"kind": "no_done", "p": 0.02},
        {"kind": "no_finish", "p": 0.01},
        {"kind": "empty_200", "p": 0.005},
        {"kind": "wrong_json", "p": 0.005},
        {"kind": "truncated_body", "p": 0.015},
    ]
    return [Mishap({**fault, "seed": chance.randrange(2**31)}, {}) for fault in faults]


def _spells(chance: random.Random, seconds: float) -> list[tuple[float, float, Mishap]]:
    spells, at_s = [], 2.0
    while at_s < seconds:
        at_s += chance.expovariate(1 / 8)
        for_s = chance.choice((0.3, 1.0, 2.0))
        fault = chance.choice(
            (
                {"kind": "down"},
                {"kind": "status", "status": 503},
                {"kind": "status", "status": 429, "retry_after_s": 0.2},
                {"kind": "cut_after", "tokens": 2},
                {"kind": "silence"},
            )
        )
        spells.append((at_s, for_s, Mishap(fault, {"provider": chance.choice(("cheap", "cheap", "dear"))})))
        at_s += for_s
    return spells
