"""Claude Code: `claude -p`, which speaks Anthropic's messages with betas and thinking."""

import json
import os
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
    STREAM,
    TEXT,
    TOOLS,
    Client,
    Interchange,
    has,
)

claude = Client("claude_code")

# Nothing but the model's API is asked, and repeating is left to Interchange.
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
}


class Turn(NamedTuple):
    """What one run of `claude -p --output-format stream-json` printed."""

    status: int
    events: list[dict[str, Any]]
    errors: str

    @property
    def result(self) -> dict[str, Any]:
        """The last line, which sums up the turn."""
        assert self.events and self.events[-1]["type"] == "result", self
        return self.events[-1]

    @property
    def answer(self) -> str:
        """What was said last. Raises AssertionError when the turn failed."""
        assert self.result["subtype"] == "success" and not self.result["is_error"], self.result
        return str(self.result["result"])

    def blocks(self, kind: str) -> list[dict[str, Any]]:
        """Content blocks of the answers."""
        messages = [one["message"] for one in self.events if one["type"] == "assistant"]
        return [block for message in messages for block in message["content"] if block["type"] == kind]


class Agent:
    """Claude Code in an empty folder, with a home of its own."""

    def __init__(self, here: Interchange, family: str) -> None:
        self.folder = here.folder / f"claude-{family}-{os.urandom(4).hex()}"
        self.folder.mkdir()
        home = self.folder.with_suffix(".home")
        home.mkdir()
        self.env = environment(
            home,
            ANTHROPIC_BASE_URL=here.url,
            ANTHROPIC_AUTH_TOKEN=here.key,
            ANTHROPIC_DEFAULT_HAIKU_MODEL=target(family, "titles"),
            **_QUIET,
        )

    def command(self, model: str, *more: str) -> list[str]:
        """Whatever tools it calls, nobody is asked; the folder is ours."""
        shape = ["--output-format", "stream-json", "--verbose"]
        tools = ["--allowedTools", "Bash,Read,Write,Edit"]
        return [program("claude"), "-p", *shape, *tools, "--model", model, *more]

    def turn(self, model: str, prompt: str, *more: str) -> Turn:
        """One turn; the prompt goes in by stdin, for it may be longer than an argument may be."""
        said = run(self.command(model, *more), folder=self.folder, env=self.env, stdin=prompt)
        lines = [line for line in said.output.splitlines() if line.startswith("{")]
        return Turn(said.status, [json.loads(line) for line in lines], said.errors)


@claude.does(TEXT)
def text(here: Interchange, family: str) -> None:
    has(Agent(here, family).turn(target(family), "Say hello to the river.").answer, "simulated answer")
    has(json.dumps([one["body"] for one in here.sent(family)]), "Say hello to the river.")


@claude.does(STREAM)
def stream(here: Interchange, family: str) -> None:
    turn = Agent(here, family).turn(target(family), "Say hello.", "--include-partial-messages")
    kinds = [one["event"]["type"] for one in turn.events if one["type"] == "stream_event"]
    assert kinds.count("content_block_delta") > 3 and kinds[-1] == "message_stop", kinds
    assert turn.answer


@claude.does(TOOLS)
def tools(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    note = agent.folder / "note.txt"
    steps = [
        ("Write", {"file_path": str(note), "content": "one\n"}),
        ("Read", {"file_path": str(note)}),
        ("Edit", {"file_path": str(note), "old_string": "one", "new_string": "two"}),
        ("Bash", {"command": "cat note.txt note.txt", "description": "shows it twice"}),
    ]
    plan = ", then ".join(f"call {name} {json.dumps(arguments)}" for name, arguments in steps)
    has(agent.turn(target(family), plan).answer, "The tool answered")
    assert note.read_text() == "two\n"
    spelled = json.dumps({"command": "echo three >> note.txt", "description": "adds a line"})
    has(agent.turn(target(family), f"call Bash {spelled}", "--continue").answer, "The tool answered")
    assert note.read_text() == "two\nthree\n"
    has(here.text_sent(family), "cat note.txt note.txt", "two\\ntwo")


@claude.does("two tools at once")
def parallel(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    for name in ("a", "b"):
        (agent.folder / name).write_text(f"content of {name}")
    calls = " and ".join(f'call Read {{"file_path": "{agent.folder / name}"}}' for name in ("a", "b"))
    turn = agent.turn(target(family), calls)
    has(turn.answer, "The tool answered")
    assert len(turn.blocks("tool_use")) == 2
    has(here.text_sent(family), "content of a", "content of b")


@claude.does("resume by session id")
def resume(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    session = agent.turn(target(family), "Remember the number 4711.").result["session_id"]
    assert agent.turn(target(family), "Which number?", "--resume", session).answer
    has(here.text_sent(family), "4711", "Which number?")


@claude.does(PARSED)
def parsed(here: Interchange, family: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    ask = 'call StructuredOutput {"city": "Bern"}'
    turn = Agent(here, family).turn(target(family), ask, "--json-schema", json.dumps(schema))
    assert turn.answer is not None and turn.result["structured_output"] == {"city": "Bern"}, turn.result


@claude.does(REASONING)
def reasoning(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    spelled = json.dumps({"command": "echo deep", "description": "says deep"})
    turn = agent.turn(f"claude-think-{family}", f"call Bash {spelled}")
    has(turn.answer, "The tool answered")
    thoughts = turn.blocks("thinking")
    has(thoughts[0]["thinking"], "I will answer plainly")
    has(agent.turn(f"claude-think-{family}", "And now?", "--continue").answer, "simulated answer")
    if family != "openai":  # Chat has no way to give reasoning back.
        has(
            json.dumps([one["body"] for one in here.sent(family)]),
            {"anthropic": '"signature"', "gemini": "thoughtSignature"}[family],
        )


@claude.does(LEAVING)
def leaving(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    with here.leaving(family) as model:
        command = agent.command(model, "Say hello.")
        arrived = PROVIDERS[family]
        interrupted(command, folder=agent.folder, env=agent.env, when=lambda: in_flight(here, arrived))


@claude.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    agent = Agent(here, family)
    for status in (500, 429, 400):
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        turn = agent.turn(f"{family}-fail-{status}", "Say hello.")
        assert turn.result["is_error"], turn.result
        has(turn.result["result"], "API Error", f"Trouble number {status}.")


@claude.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    turn = Agent(here, family).turn(f"{family}-tight-ctx60k", "far too long " * 24_000)
    assert turn.result["is_error"], turn.result
    has(turn.result["result"], "Prompt is too long")


@claude.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    has(Agent(here, family).turn(f"roomy-{family}", "quite long " * 26_000).answer, "model small")


if __name__ == "__main__":
    claude.main()
