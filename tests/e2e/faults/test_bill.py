"""Many callers at once, a provider that fails at random: everybody is answered, and our sums are its bill."""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.faults.world import A_PRICES, B_PRICES, FaultWorld, Heard

REQUESTS, AT_ONCE = 60, 8


def test_the_rows_add_up_to_the_providers_own_bill(world: FaultWorld) -> None:
    pair = world.patient_pair("bill")

    def price(prices: dict[str, int]) -> dict[str, int]:
        return {f"{name}_usd_per_mtok": usd for name, usd in prices.items()}

    prices = {f"{pair.a}/m": price(A_PRICES), f"{pair.b}/m": price(B_PRICES)}
    world.on_simulator(lambda sim: sim.set_prices(prices))
    pair.fault(kind="reset_before_headers", p=0.1, seed=1)
    pair.fault(kind="status", status=500, p=0.3, seed=2)

    def ask(number: int) -> Heard:
        return world.ask(pair.both, stream=number % 2 == 0)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        everybody = list(pool.map(ask, range(REQUESTS)))

    assert all(heard.whole for heard in everybody)
    recorded = [world.rows(heard) for heard in everybody]
    billed = world.on_simulator(lambda sim: sim.bill)["models"]
    for provider in (pair.a, pair.b):
        ours = [
            row["cost_nano_usd"]
            for rows in recorded
            for row in rows.attempts
            if (row["provider"], row["outcome"]) == (provider, "ok")
        ]
        theirs = [line["answered"] for line in billed if line["provider"] == provider]
        assert ours and theirs, "both of them answered somebody"
        assert (len(ours), sum(ours)) == (theirs[0]["requests"], theirs[0]["cost_nano_usd"])
    for rows in recorded:
        last = rows.attempts[-1]
        assert (rows.request["provider"], rows.request["model"]) == (last["provider"], last["model"])
        assert rows.request["cost_nano_usd"] == sum(row["cost_nano_usd"] for row in rows.attempts)
        assert not last["estimated"]
    for name in (f"{pair.a}/m", f"{pair.b}/m"):
        assert world.live_of(name).in_flight == 0
