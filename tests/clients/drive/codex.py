"""Codex CLI: `codex exec`, which speaks the Responses API and nothing else."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from tests.clients.command_line import environment, in_flight, interrupted, program, run
from tests.clients.families import PROVIDERS, target
from tests.clients.scenarios import (
    LARGER,
    LEAVING,
    OVERFLOW,
    PARSED,
    PROVIDER_ERROR,
    REASONING,
    TEXT,
    TOOLS,
    Client,
    Interchange,
    has,
)

codex = Client("codex")

_CONFIG = """\
model_provider = "interchange"
check_for_update_on_startup = false
web_search = "disabled"
[analytics]
enabled = false
[model_providers.interchange]
name = "Interchange"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "INTERCHANGE_API_KEY"
supports_websockets = {websockets}
request_max_retries = 0
stream_max_retries = 0
"""


class Turn(NamedTuple):
    """What one run of `codex exec --json` printed."""

    status: int
    events: list[dict[str, Any]]
    errors: str

    def items(self, kind: str) -> list[dict[str, Any]]:
        """Finished items of a kind."""
        items = [one["item"] for one in self.events if one["type"] == "item.completed"]
        return [item for item in items if item["type"] == kind]

    @property
    def answer(self) -> str:
        """What the agent said last. Raises AssertionError when the turn failed."""
        assert self.status == 0 and self.events[-1]["type"] == "turn.completed", self
        (message,) = self.items("agent_message")[-1:]
        return str(message["text"])


class Agent:
    """Codex in an empty folder, with a home of its own."""

    def __init__(self, here: Interchange, family: str, *, websockets: bool = False) -> None:
        self.folder = here.folder / f"codex-{family}-{os.urandom(4).hex()}"
        self.folder.mkdir()
        home = self.folder.with_suffix(".home")
        home.mkdir()
        config = _CONFIG.format(url=here.url, websockets=str(websockets).lower())
        (home / "config.toml").write_text(config)
        self.env = environment(home, CODEX_HOME=str(home), INTERCHANGE_API_KEY=here.key)

    def command(self, model: str, *more: str) -> list[str]:
        """Without a sandbox of its own: this folder and these commands are ours."""
        options = ["--skip-git-repo-check", "--json", "--dangerously-bypass-approvals-and-sandbox"]
        return [program("codex"), "exec", *options, "-m", model, *more]

    def turn(self, model: str, prompt: str, *more: str) -> Turn:
        """One turn; the prompt goes in by stdin, for it may be longer than an argument may be."""
        said = run(self.command(model, *more, "-"), folder=self.folder, env=self.env, stdin=prompt)
        lines = [line for line in said.output.splitlines() if line.startswith("{")]
        return Turn(said.status, [json.loads(line) for line in lines], said.errors)

    def written(self, name: str) -> str:
        """A file its commands wrote."""
        return Path(self.folder / name).read_text()


@codex.does(TEXT)
def text(here: Interchange, family: str) -> None:
    has(Agent(here, family).turn(target(family), "Say hello to the river.").answer, "simulated answer")
    (request,) = here.sent(family)
    has(json.dumps(request["body"]), "Say hello to the river.")
    assert "stream" in request["path"] or request["body"]["stream"] is True


@codex.does("websocket first, HTTP at once", "openai")
def websocket(here: Interchange, family: str) -> None:
    turn = Agent(here, family, websockets=True).turn(target(family), "Say hello.")
    has(turn.answer, "hello")
    has(turn.errors, "failed to connect to Responses WebSocket")
    assert len(here.sent(family)) == 1


@codex.does(TOOLS)
def tools(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    first = 'call exec_command {"cmd": "echo one > a.txt"}, then call exec_command {"cmd": "cat a.txt a.txt"}'
    turn = agent.turn(target(family), first)
    has(turn.answer, "The tool answered")
    assert agent.written("a.txt") == "one\n"
    assert [item["aggregated_output"] for item in turn.items("command_execution")] == ["", "one\none\n"]
    again = agent.turn(target(family), 'call exec_command {"cmd": "echo two >> a.txt"}', "resume", "--last")
    has(again.answer, "The tool answered")
    assert agent.written("a.txt") == "one\ntwo\n"
    has(here.text_sent(family), "cat a.txt a.txt", "echo two")


@codex.does("two commands at once")
def parallel(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    both = 'call exec_command {"cmd": "echo 1 > b.txt"} and call exec_command {"cmd": "echo 2 > c.txt"}'
    has(agent.turn(target(family), both).answer, "The tool answered")
    assert agent.written("b.txt") + agent.written("c.txt") == "1\n2\n"


@codex.does(PARSED)
def parsed(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    schema = agent.folder / "schema.json"
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}}
    rules = {"required": ["city", "days"], "additionalProperties": False}
    schema.write_text(json.dumps({"type": "object", "properties": properties, **rules}))
    answer = agent.turn(target(family), "The weather.", "--output-schema", str(schema)).answer
    assert set(json.loads(answer)) == {"city", "days"}


@codex.does(REASONING)
def reasoning(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    turn = agent.turn(target(family, "think"), 'call exec_command {"cmd": "echo deep"}')
    has(turn.answer, "The tool answered")
    has(turn.items("reasoning")[0]["text"], "I will answer plainly")
    assert len(turn.items("agent_message")) == 1
    has(agent.turn(target(family, "think"), "And now?", "resume", "--last").answer, "And now?")
    mark = {"openai": '"encrypted_content": "', "anthropic": '"signature"', "gemini": "thoughtSignature"}[
        family
    ]
    has(here.text_sent(family), mark)


@codex.does(LEAVING)
def leaving(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    with here.leaving(family) as model:
        command = agent.command(model, "Say hello.")
        arrived = PROVIDERS[family]
        interrupted(command, folder=agent.folder, env=agent.env, when=lambda: in_flight(here, arrived))


@codex.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    for status in (500, 429, 400):
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        turn = agent.turn(f"{family}-fail-{status}", "Say hello.")
        assert turn.status != 0 and turn.events[-1]["type"] == "turn.failed", turn
        # For some statuses Codex has words of its own, and shows what it got for the others.
        said = json.dumps(turn.events[-1])
        known = {500: "high demand", 429: "429", 400: "Trouble number 400."}[status]
        assert known in said or f"Trouble number {status}." in said, said


@codex.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    turn = Agent(here, family).turn(f"{family}-tight-ctx60k", "far too long " * 24_000)
    assert turn.events[-1]["type"] == "turn.failed", turn
    has(json.dumps(turn.events[-1]), "context window")


@codex.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    turn = Agent(here, family).turn(f"roomy-{family}", "quite long " * 26_000)
    has(turn.answer, "model small")


if __name__ == "__main__":
    codex.main()
