"""A repetitive workload of agents against the whole server, and what its answer cache makes of it:
`python -m benchmarks.cache_workload --clusters FILE --models DIR`.

Questions follow Zipf's law over meanings, each asked in any of its wordings, by three tenants with system
prompts of their own (one of them streams), some in bursts of equal requests at once. The provider answers by
meaning, so every hit can be told right or wrong; where the file's own labels err, the server is called wrong.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from benchmarks.cluster_provider import answer_of, read_clusters
from benchmarks.processes import Running
from benchmarks.servers import ROOT, free_port

TENANTS = {
    "acme": "You are the help desk of Acme. Answer in two sentences, and never speak about prices.",
    "globex": "You write for Globex, a magazine for beginners. Explain every word that is not common.",
    "initech": "You are Initech's research agent. Name what you are not sure of.",
}
STREAMS = "initech"
BURST_SHARE = 0.03
INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK = 3.0, 15.0
TIME_MAX_S = 300.0
_START_S = 180.0
_NUMBER = re.compile(r"\[(\d+)\]")
_CONFIG = """
cache: {{embedder: minilm, precision: {precision}, models_dir: "{models}"}}
providers:
  acme:
    kind: openai
    base_url: {url}/v1
    api_key: sk-bench-not-a-secret
    via: direct
    models:
      m: {{input_usd_per_mtok: {input}, output_usd_per_mtok: {output}, context_tokens: 128000,
          max_output_tokens: 4096, capabilities: [text, streaming]}}
routes:
  agents: {{targets: [acme/m], cache: {{mode: {mode}, error_rate: {error_rate}, audit_share: {audit_share},
           shadow_usd_per_day: 1000}}}}
"""


class Asked(NamedTuple):
    tenant: str
    cluster: int
    question: str


@dataclass
class Tally:
    """What callers saw. `wrong` counts hits whose answer belongs to another meaning."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    paid_usd: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return sum(self.outcomes.values())

    @property
    def hits(self) -> int:
        return sum(count for name, count in self.outcomes.items() if name.startswith("hit-"))


def workload(clusters: Sequence[Sequence[str]], meanings: int, requests: int, seed: int) -> list[list[Asked]]:
    """Groups of requests that are sent at once; most have one."""
    chance = random.Random(seed)
    chosen = chance.sample(range(len(clusters)), meanings)
    weights = [1 / (rank + 1) for rank in range(meanings)]
    groups: list[list[Asked]] = []
    sent = 0
    while sent < requests:
        (cluster,) = chance.choices(chosen, weights)
        asked = Asked(chance.choice(tuple(TENANTS)), cluster, chance.choice(clusters[cluster]))
        many = min(chance.randrange(2, 9) if chance.random() < BURST_SHARE else 1, requests - sent)
        groups.append([asked] * many)
        sent += many
    return groups


class Agents:
    """Callers of all tenants, so many at once."""

    def __init__(self, url: str, keys: dict[str, str], tally: Tally) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._keys = keys
        self._tally = tally

    async def run(self, groups: Sequence[Sequence[Asked]], concurrency: int) -> None:
        waiting = iter(groups)
        async with (
            asyncio.timeout(TIME_MAX_S),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as running,
        ):
            for _ in range(concurrency):
                running.create_task(self._work(session, waiting))

    async def _work(self, session: aiohttp.ClientSession, waiting: Any) -> None:
        for group in waiting:
            await asyncio.gather(*(self._ask(session, asked) for asked in group))

    async def _ask(self, session: aiohttp.ClientSession, asked: Asked) -> None:
        system, tally = TENANTS[asked.tenant], self._tally
        body = {
            "model": "agents",
            "stream": asked.tenant == STREAMS,
            "messages": [
                {"role": "system", "content": system}, {"role": "user", "content": asked.question}
            ],
        }  # fmt: skip
        headers = {"authorization": f"Bearer {self._keys[asked.tenant]}"}
        async with session.post(self._url, json=body, headers=headers) as answer:
            text = await answer.text()
        if answer.status != 200:
            tally.failed += 1
            return
        outcome = answer.headers["x-interchange-cache"]
        tally.outcomes[outcome] += 1
        found = _NUMBER.search(text)
        if found is None or int(found[1]) != asked.cluster or not _own(asked, text):
            tally.wrong[outcome] += 1
            if len(tally.examples) < 5:
                tally.examples.append(f"{asked.question!r} got the answer to meaning {found and found[1]}")


def _own(asked: Asked, text: str) -> bool:
    """Whether the words are those of this tenant's system prompt, too."""
    return answer_of(asked.cluster, TENANTS[asked.tenant])[:40] in text


async def measured(url: str, owner: str, tally: Tally) -> list[dict[str, Any]]:
    """What the server says of its own routes, for each tenant; and what everybody paid."""
    headers = {"authorization": f"Bearer {owner}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{url}/api/v1/usage?group_by=tenant&group_by=cache") as answer:
            usage = await answer.json()
        async with session.get(f"{url}/api/v1/cache/verified") as answer:
            verified = await answer.json()
    tally.paid_usd = sum(float(row["cost_usd"] or 0) for row in usage.get("rows", ()))
    return list(verified["routes"])


async def keys_of(url: str, owner: str) -> dict[str, str]:
    """One key for each tenant."""
    keys = {}
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {owner}"}) as session:
        for tenant in TENANTS:
            wanted = {"tenant_id": tenant, "name": "bench", "role": "admin"}
            async with session.post(f"{url}/api/v1/keys", json=wanted) as answer:
                made = await answer.json()
                if answer.status >= 300:
                    raise SystemExit(f"no key for {tenant}: {made}")
            keys[tenant] = made["key"]
    return keys


def start(stack: ExitStack, chosen: argparse.Namespace) -> tuple[str, str]:
    """Address and owner's key of a server of its own in front of a provider of its own."""
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cache-workload-")))
    provider = Running(
        "provider",
        [sys.executable, "-m", "benchmarks.cluster_provider", chosen.clusters],
        log=work / "provider.log",
        folder=ROOT,
    )
    stack.callback(provider.stop)
    provider_url = _wait(provider, lambda: (work / "provider.log").read_text().strip())
    config = work / "interchange.yaml"
    config.write_text(
        _CONFIG.format(
            url=provider_url, models=chosen.models.resolve(), precision=chosen.precision, mode=chosen.mode,
            error_rate=chosen.error_rate, audit_share=chosen.audit_share, input=INPUT_USD_PER_MTOK,
            output=OUTPUT_USD_PER_MTOK,
        )
    )  # fmt: skip
    port, data_dir = free_port(), work / "data"
    command = [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"]
    server = Running(
        "server",
        [*command, "--exit-with-parent"],
        log=work / "server.log",
        folder=ROOT,
        environment={
            "PATH": "/usr/local/bin:/usr/bin:/bin", "INTERCHANGE_CONFIG": str(config),
            "INTERCHANGE_DATA_DIR": str(data_dir), "HOST": "127.0.0.1", "PORT": str(port),
        },
    )  # fmt: skip
    stack.callback(server.stop)
    key_file = data_dir / "admin.key"
    key = _wait(server, lambda: key_file.read_text().strip() if key_file.exists() else "")
    return f"http://127.0.0.1:{port}", key


def _wait(running: Running, look: Any) -> str:
    give_up_at = time.monotonic() + _START_S
    while not (found := str(look())):
        if running.ended or time.monotonic() > give_up_at:
            raise SystemExit(f"{running.name} does not start: {running.last_lines()}")
        time.sleep(0.1)
    return found


async def until_up(url: str) -> None:
    async with asyncio.timeout(_START_S), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/health/live") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def tell(tally: Tally, groups: Sequence[Sequence[Asked]], took_s: float) -> None:
    """The table."""
    asked = [each for group in groups for each in group]
    print(f"{len(asked)} requests in {took_s:.0f} s, {tally.failed} failed")
    print(f"{'outcome':<16}{'requests':>10}{'share':>9}{'wrong':>8}")
    for name, count in tally.outcomes.most_common():
        print(f"{name:<16}{count:>10}{count / tally.answered:>9.1%}{tally.wrong[name]:>8}")
    wrong = sum(count for name, count in tally.wrong.items() if name.startswith("hit-"))
    print(f"hit ratio {tally.hits / tally.answered:.1%}; wrong per hit {wrong / max(1, tally.hits):.2%}")
    semantic = tally.outcomes["hit-semantic"]
    print(f"wrong per hit on a similar question {tally.wrong['hit-semantic'] / max(1, semantic):.2%}")
    equal, meanings = len({each[::2] for each in asked}), len({each[:2] for each in asked})
    print(
        f"whoever answers equal texts alone could hit {1 - equal / len(asked):.1%}, "
        f"whoever knows all meanings {1 - meanings / len(asked):.1%}"
    )
    full = sum(_price(each) for each in asked)
    print(f"paid {tally.paid_usd:.4f} of {full:.4f} USD: {1 - tally.paid_usd / full:.1%} saved, audits paid")
    for example in tally.examples:
        print(f"  wrong: {example}")


def _price(asked: Asked) -> float:
    system = TENANTS[asked.tenant]
    tokens_in = (len(system) + len(asked.question)) // 4
    tokens_out = len(answer_of(asked.cluster, system)) // 4
    return (tokens_in * INPUT_USD_PER_MTOK + tokens_out * OUTPUT_USD_PER_MTOK) / 1e6


async def main(chosen: argparse.Namespace) -> None:
    clusters = read_clusters(chosen.clusters)
    groups = workload(clusters, chosen.meanings, chosen.requests, chosen.seed)
    tally = Tally()
    with ExitStack() as stack:
        url, owner = start(stack, chosen)
        await until_up(url)
        keys = await keys_of(url, owner)
        began = time.monotonic()
        await Agents(url, keys, tally).run(groups, chosen.concurrency)
        took_s = time.monotonic() - began
        await asyncio.sleep(3)  # rows are written in groups
        reports = []
        for tenant, key in keys.items():
            of_one = Tally()
            reports += [(tenant, each) for each in await measured(url, key, of_one)]
            tally.paid_usd += of_one.paid_usd
    tell(tally, groups, took_s)
    print("as the server measured it:")
    for tenant, report in reports:
        print(f"  {tenant}: {json.dumps(report)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=Path, required=True, help="JSON lines with `questions`")
    parser.add_argument("--models", type=Path, required=True, help="where `models install` put MiniLM")
    parser.add_argument("--precision", default="int8", choices=("int8", "fp32"))
    parser.add_argument("--mode", default="verified")
    parser.add_argument("--error-rate", type=float, default=0.01)
    parser.add_argument("--audit-share", type=float, default=0.02)
    parser.add_argument("--meanings", type=int, default=500)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(main(parser.parse_args()))
