"""`make simulate`: many seeds, one line each that fails with the seed to repeat it.

`python -m tests.simulation [--seed N] [--seeds COUNT] [--requests COUNT]`
"""

import argparse
import logging
import sys
import time
import traceback
from collections import Counter

from tests.simulation.cache_invariants import check_caches
from tests.simulation.cache_world import simulate_caches
from tests.simulation.conversations import comparison
from tests.simulation.invariants import check_all
from tests.simulation.money_invariants import check_money
from tests.simulation.money_world import simulate_money
from tests.simulation.world import simulate


def main() -> int:
    """Runs the seeds; 1 when one of them breaks a promise."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--seeds", type=int, default=50, help="how many, from 0 on")
    parser.add_argument("--requests", type=int, default=400, help="requests of each run")
    asked = parser.parse_args()
    seeds = range(asked.seeds) if asked.seed is None else (asked.seed,)
    logging.getLogger("interchange").setLevel(logging.CRITICAL)  # what goes wrong is meant to
    began, outcomes, calls = time.monotonic(), Counter[str](), 0
    spent, refused, crashes = 0, 0, 0
    cached, declared, died = Counter[str](), 0, 0
    for seed in seeds:
        try:
            outcome = simulate(seed, asked.requests)
            check_all(outcome)
            money = simulate_money(seed, asked.requests)
            check_money(money)
            caches = simulate_caches(seed, 2 * asked.requests)
            check_caches(caches)
        except Exception:  # noqa: BLE001 - whatever it is, the seed is what shows it again
            traceback.print_exc()
            print(f"seed {seed} fails: make simulate SEED={seed}", file=sys.stderr)
            return 1
        outcomes.update(caller.outcome for caller in outcome.callers)
        calls += len(outcome.calls)
        spent += len(money.bill.by_attempt)
        refused += sum(spender.outcome == "budget_exceeded" for spender in money.spenders)
        crashes += money.crashes
        cached.update(events[0].cache for events in caches.events.values())
        declared += len(caches.declared)
        died += caches.crashes
    took_s = time.monotonic() - began
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
    print(f"{len(seeds)} worlds, {outcomes.total()} requests, {calls} calls in {took_s:.1f} s: {counts}")
    print(
        f"with money: {spent} attempts billed, {refused} requests refused for their cost, {crashes} processes"
        " died; no budget was overspent"
    )
    told = ", ".join(f"{count} {name}" for name, count in cached.most_common() if name)
    print(
        f"with caches: {told}; {declared} invalidations, {died} processes died; nothing was served to whom"
        " it must not be"
    )
    print("\n".join(comparison(asked.seed or 0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
