"""The clients we know, and what each wants to be told.

Sources of the shapes: Claude Code's documentation of settings.json and of LLM gateways; Codex' documentation
of config.toml (`model_providers`, command-backed `auth`); for Cursor see `CURSOR_STEPS`.
"""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from entrypoints.clients.connection import Plan, Setting
from entrypoints.clients.edits import CannotEdit, TextFormat
from entrypoints.clients.json_text import JsonText
from entrypoints.clients.toml_text import TomlText

PROVIDER: Final = "interchange"
KEY_VARIABLE: Final = "INTERCHANGE_API_KEY"
KEY_REFRESH_MS: Final = 300_000


class Wish(NamedTuple):
    """How to connect. `url` is our root, without a path; `proof` how the client gets the key; `tools`: it
    shall get the tools of integrations too, over MCP."""

    url: str
    key: str
    model: str | None
    proof: str
    key_id: str = ""
    tools: bool = False


class KnownClient(NamedTuple):
    """`proofs` are the ways to give it the key, the default first."""

    title: str
    text_format: TextFormat
    proofs: tuple[str, ...]
    file: Callable[[Mapping[str, str]], Path]
    plan: Callable[[Wish, Path], Plan]
    next_step: str
    tools_by_hand: tuple[str, ...] = ()
    """How people give it the tools, where its own file is not for that."""


def claude_code_file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("CLAUDE_CONFIG_DIR") or str(_home(environ) / ".claude")
    return Path(folder).expanduser() / "settings.json"


def codex_file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("CODEX_HOME") or str(_home(environ) / ".codex")
    return Path(folder).expanduser() / "config.toml"


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        raise CannotEdit("HOME is not set, so nobody knows where the client keeps its configuration")
    return Path(home)


def plan_claude_code(wish: Wish, file: Path) -> Plan:
    """It adds /v1/messages to the address itself, and sends the token as `Authorization: Bearer`."""
    settings = [Setting(("env", "ANTHROPIC_BASE_URL"), wish.url)]
    key_file = None
    if wish.proof == "token":
        settings.append(Setting(("env", "ANTHROPIC_AUTH_TOKEN"), wish.key))
    else:
        key_file = file.with_name("interchange.key")
        settings.append(Setting(("apiKeyHelper",), f"cat {shlex.quote(str(key_file))}"))
    if wish.model is not None:
        # It asks a small model for titles and the like; that one must exist here as well.
        names = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
        settings.extend(Setting(("env", name), wish.model) for name in names)
    return Plan(
        file=file,
        text_format=JsonText(),
        settings=tuple(settings),
        secret=wish.key,
        key_file=key_file,
        key_id=wish.key_id,
    )


def plan_codex(wish: Wish, file: Path) -> Plan:
    """It adds /responses to the address; `responses` is the only wire it still speaks."""
    provider: dict[str, Any] = {
        "name": "Interchange",
        "base_url": f"{wish.url}/v1",
        "wire_api": "responses",
    }
    key_file = None
    if wish.proof == "command":
        key_file = file.with_name("interchange.key")
        provider["auth"] = {
            "command": "cat",
            "args": [str(key_file)],
            "timeout_ms": 5000,
            "refresh_interval_ms": KEY_REFRESH_MS,
        }
    else:
        provider["env_key"] = KEY_VARIABLE
    settings = [Setting(("model_provider",), PROVIDER)]
    if wish.model is not None:
        settings.append(Setting(("model",), wish.model))
    settings.append(Setting(("model_providers", PROVIDER), provider))
    if wish.tools:
        # Commands that print a key are only for models there.
        held = {"http_headers": {"Authorization": f"Bearer {wish.key}"}}
        proof = held if wish.proof == "command" else {"bearer_token_env_var": KEY_VARIABLE}
        settings.append(Setting(("mcp_servers", PROVIDER), {"url": f"{wish.url}/mcp", **proof}))
    return Plan(
        file=file,
        text_format=TomlText(),
        settings=tuple(settings),
        secret=wish.key,
        key_file=key_file,
        key_id=wish.key_id,
    )


CLIENTS: Final[Mapping[str, KnownClient]] = {
    "claude-code": KnownClient(
        title="Claude Code",
        text_format=JsonText(),
        proofs=("token", "helper"),
        file=claude_code_file,
        plan=plan_claude_code,
        next_step="start `claude` anew; /status shows the address it uses",
        tools_by_hand=(
            "Claude Code keeps servers of tools in a file it writes itself; add ours with a key in $KEY:",
            "  claude mcp add --transport http --scope user interchange {url}/mcp \\",
            '    --header "Authorization: Bearer $KEY"',
            "and take it back with: claude mcp remove --scope user interchange",
        ),
    ),
    "codex": KnownClient(
        title="Codex",
        text_format=TomlText(),
        proofs=("command", "env"),
        file=codex_file,
        plan=plan_codex,
        next_step="start `codex` anew",
    ),
}

CURSOR_STEPS: Final = (
    "Cursor keeps these settings in a store of its own that no file reaches; do this by hand:",
    "  1. Cursor Settings > Models > API Keys: switch on `OpenAI API Key` and paste a key of Interchange",
    "     (make one: interchange keys create cursor)",
    "  2. switch on `Override OpenAI Base URL` and enter: {url}/v1",
    "  3. Models > Add model: {model}",
    "Cursor calls that address from its own servers: it must be reachable from the internet over https, so",
    "an address such as 127.0.0.1 does not work.",
)
CURSOR_TOOLS: Final = (
    "Tools of integrations: put this into ~/.cursor/mcp.json, with a key of Interchange:",
    '  {{"mcpServers": {{"interchange": {{"url": "{url}/mcp",',
    '    "headers": {{"Authorization": "Bearer <the key>"}}}}}}}}',
)
CURSOR_BACK: Final = (
    "In Cursor Settings > Models > API Keys: switch off `Override OpenAI Base URL`, and remove the key.",
    "Then revoke the key: interchange keys revoke <key id>",
)
