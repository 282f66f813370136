"""Everything at once over real sockets: random faults of every kind, and callers who leave."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx

from tests.e2e.faults.world import ANSWER, PATIENCE, PROMPT, SLACK_S, TOTAL_S, FaultWorld, Heard

REQUESTS = 120
AT_ONCE = {"direct": 24, "portkey": 8}
"""The gateway has one thread for all of them, and a busy machine may have little of it."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429, "retry_after_s": 0.2},
    {"kind": "status", "status": 503},
    {"kind": "reset_before_headers"},
    {"kind": "slow_first_token", "delay_s": 1.0 * PATIENCE},
    {"kind": "cut_after", "tokens": 30},
    {"kind": "cut_after", "tokens": 50, "how": "close", "terminator": True},
    {"kind": "stall_after", "tokens": 20},
    {"kind": "malformed_chunk_after", "tokens": 10},
    {"kind": "no_done"},
    {"kind": "truncated_body"},
)


class Wish(NamedTuple):
    """One request as its caller plans it."""

    number: int
    route: str
    stream: bool
    leaves_after_s: float | None


def test_in_a_storm_everybody_gets_the_whole_answer_or_a_clear_error(world: FaultWorld, way: str) -> None:
    pair = world.patient_pair("storm")
    for seed, fault in enumerate(FAULTS):
        pair.fault(**fault, p=0.05, seed=seed)
        pair.fault(provider=pair.b, **fault, p=0.005, seed=100 + seed)
    chance = random.Random(7)
    wishes = [
        Wish(
            number,
            chance.choice((pair.both, pair.continued)),
            chance.random() < 0.6,
            chance.choice((0.02, 0.2)) if chance.random() < 0.1 else None,
        )
        for number in range(REQUESTS)
    ]

    def live_through(wish: Wish) -> Heard | None:
        if wish.leaves_after_s is None:
            return world.ask(wish.route, stream=wish.stream)
        with world.stack.client() as client:
            body = {"model": wish.route, "stream": wish.stream, **PROMPT}
            headers = {"x-request-id": f"storm-{way}-{wish.number}"}
            try:
                client.post("/v1/chat/completions", json=body, headers=headers, timeout=wish.leaves_after_s)
            except httpx.TimeoutException:
                return None
        return None

    with ThreadPoolExecutor(AT_ONCE[way]) as pool:
        everybody = list(pool.map(live_through, wishes))

    heard = [one for one in everybody if one is not None]
    for one in heard:
        assert one.whole or one.error is not None, one
        assert ANSWER.startswith(one.text)
    assert sum(one.whole for one in heard) > len(heard) / 2
    pair.heal()
    states = [world.live_of(f"{provider}/m") for provider in (pair.a, pair.b)]
    assert world.eventually(lambda: not world.in_flight, within_s=TOTAL_S * PATIENCE + SLACK_S), (
        "nobody holds a slot any more"
    )
    assert [state.in_flight for state in states] == [0, 0]
    troubled = 0
    for one in heard:
        rows = world.rows(one)
        troubled += one.error is not None or len(rows.attempts) > 1
        assert one.whole == (rows.request["outcome"] == "ok")
        assert rows.request["attempts_made"] == len(rows.attempts)
    assert troubled, "it must not be too calm to prove anything"
