"""Those who call in a storm: many at once, unary and streamed, patient and not."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from benchmarks.storm.limits import Payer
from benchmarks.storm.world import Instance

TIMEOUT_S: Final = 15.0
AGENTS, SESSIONS, KEYS_PER_WAVE = 8, 20, 4
WAVE_S_MAX: Final = 12.0
REFUSALS_PER_WAVE: Final = 100
"""By the budget of the wave."""
REFUSALS_OF_ANY_KIND: Final = 1000
SPENDERS: Final = 6
ASKS_MAX: Final = 4000
SMALLEST: Final = 8
"""Tokens of the smallest request."""


@dataclass(slots=True, kw_only=True)
class Ask:
    """One request as it is planned. `leaves_after_s`: the caller goes away then, whatever has come."""

    payer: Payer
    secret: str
    route: str
    stream: bool
    max_tokens: int | None
    leaves_after_s: float | None = None
    leaves_after_chunks: int | None = None


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came of it. `complete`: the last byte arrived."""

    number: int
    status: int = 0
    complete: bool = False
    outcome: str = "broken"
    code: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Wave:
    """A while in which the same agents and sessions call, until what they share is used up."""

    number: int
    began: float
    keys: Sequence[tuple[str, str]]
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return f"w{self.number}"

    @property
    def over(self) -> bool:
        """Whether those who call have used up what they share."""
        enough = self.refused["wave"] >= REFUSALS_PER_WAVE
        return enough or self.refused.total() - self.refused[""] >= REFUSALS_OF_ANY_KIND


class Crowd:
    """All callers of a storm. `secrets` are as many keys as there are; waves take turns with them."""

    def __init__(self, seed: int, instances: Sequence[Instance], keys: Sequence[tuple[str, str]]) -> None:
        self._seed = seed
        self._instances = instances
        self._keys = keys
        self._next = 0
        self.answers: dict[int, Answer] = {}
        self.refused: Counter[str] = Counter()
        self.waves: list[Wave] = [self._wave(0)]
        self.calm = asyncio.Event()

    def _wave(self, number: int) -> Wave:
        some = [
            self._keys[(number * KEYS_PER_WAVE + each) % len(self._keys)] for each in range(KEYS_PER_WAVE)
        ]
        return Wave(number=number, began=time.monotonic(), keys=some)

    @property
    def wave(self) -> Wave:
        """The present one."""
        return self.waves[-1]

    def payer(self, key_id: str, agent: str, session: str, wave: str) -> Payer:
        """The next request's."""
        self._next += 1
        return Payer(self._next, key_id, agent, session, wave)

    async def call_until(self, stop: asyncio.Event, callers: int) -> None:
        """So many callers, one request after the other each, until told to stop."""
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                group.create_task(self._caller(random.Random(f"{self._seed}/{number}"), stop))

    async def _caller(self, chance: random.Random, stop: asyncio.Event) -> None:
        async with _session() as session:
            while not stop.is_set():
                wave = self.wave
                answer = await self.ask(session, self._planned(chance, wave), chance)
                wave.refused[str(answer.details.get("budget", ""))] += 1
                self._turn(wave)
                pause_s = {"broken": 0.1, "error": 0.05, "refused": 0.02}.get(answer.outcome, 0.005)
                await asyncio.sleep(pause_s * chance.uniform(0.5, 1.5))

    def _turn(self, wave: Wave) -> None:
        old = time.monotonic() - wave.began > WAVE_S_MAX
        if wave is self.wave and (wave.over or old):
            self.waves.append(self._wave(wave.number + 1))

    def _planned(self, chance: random.Random, wave: Wave) -> Ask:
        key_id, secret = chance.choices(wave.keys, weights=(8, 4, 2, 1))[0]
        agent = f"{wave.name}-a{min(int(chance.expovariate(0.5)), AGENTS - 1)}"
        session = f"{wave.name}-s{min(int(chance.expovariate(0.2)), SESSIONS - 1)}"
        ask = Ask(
            payer=self.payer(key_id, agent, session, wave.name),
            secret=secret,
            route=chance.choices(("thrifty", "bold", "clamped"), weights=(6, 2, 2))[0],
            stream=chance.random() < 0.6,
            max_tokens=chance.choices((SMALLEST, 32, 64, 128, None), weights=(3, 5, 5, 2, 0.4))[0],
        )
        leaving = chance.random()
        if leaving < 0.08:
            ask.leaves_after_s = chance.uniform(0, 0.06)
        elif leaving < 0.16 and ask.stream:
            ask.leaves_after_chunks = chance.randrange(1, 12)
        return ask

    async def ask(self, session: aiohttp.ClientSession, ask: Ask, chance: random.Random) -> Answer:
        """One request to one of the instances that serve; remembered under its number."""
        answer = self.answers[ask.payer.number] = Answer(number=ask.payer.number)
        serving = [instance for instance in self._instances if instance.serving]
        if not serving:
            return answer
        try:
            async with asyncio.timeout(ask.leaves_after_s or TIMEOUT_S):
                await _exchange(session, chance.choice(serving).url, ask, answer)
        except TimeoutError:
            answer.outcome = "left" if ask.leaves_after_s else "hung"
        except (aiohttp.ClientError, OSError):
            answer.outcome = "broken"
        if answer.status == 402:
            self.refused[str(answer.details.get("budget", "?"))] += 1
        return answer

    async def spend_out(
        self, budget: str, keys: Sequence[tuple[str, str]], *, wave: str | None, route: str = "thrifty"
    ) -> bool:
        """Asks for much, several at once, and then for the smallest there is, until the budget refuses even
        that again and again; False: another budget came first. `wave`: the workflow to go on spending for,
        None: a new one every time."""
        spender = Spender(self, budget, wave, route, list(keys))
        await asyncio.gather(*(spender.ask_until_refused(128, 1) for _ in range(SPENDERS)))
        return await spender.ask_until_refused(SMALLEST, 4)


class Spender:
    """Spends what one budget has left."""

    def __init__(
        self, crowd: Crowd, budget: str, wave: str | None, route: str, keys: list[tuple[str, str]]
    ) -> None:
        self._crowd = crowd
        self._budget = budget
        self._wave = wave
        self._route = route
        self._keys = keys
        self._asked = 0

    async def ask_until_refused(self, tokens: int, times: int) -> bool:
        """Until the budget has refused so many times in a row."""
        in_a_row = 0
        async with _session() as session:
            for _ in range(ASKS_MAX):
                if not self._keys:
                    return False
                answer, key = await self._ask(session, tokens)
                refused_by = answer.details.get("budget") if answer.status == 402 else None
                if refused_by == self._budget:
                    in_a_row += 1
                    if in_a_row >= times:
                        return True
                    await asyncio.sleep(0.7)
                    continue
                if answer.outcome == "complete":
                    in_a_row = 0
                elif refused_by == "each-key" and key in self._keys:
                    self._keys.remove(key)
                elif refused_by in ("wave", "all"):
                    return False
                elif refused_by not in ("each-agent", "each-session"):
                    await asyncio.sleep(0.1)
        return False

    async def _ask(self, session: aiohttp.ClientSession, tokens: int) -> tuple[Answer, tuple[str, str]]:
        self._asked += 1
        key = self._keys[self._asked % len(self._keys)]
        fresh = f"{self._budget}-{self._wave}-{self._asked // 12}"
        payer = self._crowd.payer(key[0], f"{fresh}-a", f"{fresh}-s", self._wave or f"{fresh}-w")
        ask = Ask(
            payer=payer, secret=key[1], route=self._route, stream=self._asked % 2 == 0, max_tokens=tokens
        )
        return await self._crowd.ask(session, ask, random.Random(payer.number)), key


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=0)
    )


async def _exchange(session: aiohttp.ClientSession, url: str, ask: Ask, answer: Answer) -> None:
    payer = ask.payer
    headers = {
        "authorization": f"Bearer {ask.secret}",
        "x-interchange-agent-id": payer.agent,
        "x-interchange-session-id": payer.session,
        "x-interchange-workflow-id": payer.workflow,
        "x-interchange-user-id": str(payer.number),
        "x-sim-caller": payer.text,
    }
    body: dict[str, Any] = {
        "model": ask.route,
        "stream": ask.stream,
        "messages": [{"role": "user", "content": f"question {payer.number}"}],
    }
    if ask.max_tokens is not None:
        body["max_tokens"] = ask.max_tokens
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response:
        answer.status = response.status
        if response.status != 200:
            said = await response.read()
            answer.complete, answer.outcome = True, "refused" if response.status == 402 else "error"
            _read_error(said, answer)
            return
        if not ask.stream:
            await response.read()
            answer.complete, answer.outcome = True, "complete"
            return
        await _read_stream(response, ask, answer)


async def _read_stream(response: aiohttp.ClientResponse, ask: Ask, answer: Answer) -> None:
    seen, tail = 0, b""
    async for chunk in response.content.iter_any():
        seen += 1
        tail = (tail + chunk)[-64:]
        if ask.leaves_after_chunks is not None and seen >= ask.leaves_after_chunks:
            answer.outcome = "left"
            response.close()
            return
    answer.complete = True
    answer.outcome = "complete" if tail.rstrip().endswith(b"[DONE]") else "cut"


def _read_error(said: bytes, answer: Answer) -> None:
    try:
        error = json.loads(said)["error"]
        answer.code = str(error.get("code", ""))
        answer.details = dict(error.get("details") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        answer.code = "unreadable"
