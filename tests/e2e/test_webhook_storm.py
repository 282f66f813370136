"""No webhook is lost: a small storm with a killed dispatcher and a restarted database."""

from pathlib import Path

from benchmarks.webhook_storm import Asked, storm


async def test_every_event_arrives_although_dispatchers_are_killed_and_the_database_restarts(
    tmp_path: Path,
) -> None:
    asked = Asked(events=24, rate_per_s=12, kills=1, restarts=1, fast=2, slow=1, flapping=1)

    proof = await storm(asked, tmp_path)

    assert proof.kills == 1
    assert not any(proof.missing.values()), proof
    assert (proof.changed, proof.unverified, proof.open) == (0, 0, 0), proof
    assert proof.dead == proof.dead_expected, proof
