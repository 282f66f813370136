"""Which clients are run, and at which version: what the lock files say."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
LOCK = HERE.parents[1] / "requirements" / "clients.lock"


class Pinned(NamedTuple):
    """A client and the module in `drive/` that runs it; `packages` are the names whose versions are told."""

    title: str
    module: str
    packages: tuple[str, ...]
    registry: str = "PyPI"


CLIENTS = (
    Pinned("Codex CLI", "codex", ("@openai/codex",), "npm"),
    Pinned("Claude Code", "claude_code", ("@anthropic-ai/claude-code",), "npm"),
    Pinned("OpenAI SDK", "openai_sdk", ("openai",)),
    Pinned("Anthropic SDK", "anthropic_sdk", ("anthropic",)),
    Pinned("Google Gen AI SDK", "google_sdk", ("google-genai",)),
    Pinned("OpenAI Agents SDK", "agents_sdk", ("openai-agents", "openai")),
    Pinned("LangGraph", "langgraph_agents", ("langgraph", "langchain-openai", "langchain-anthropic")),
    Pinned("pydantic-ai", "pydantic_agents", ("pydantic-ai-slim",)),
    Pinned("Portkey SDK", "portkey_sdk", ("portkey-ai",)),
)


def pinned_versions() -> dict[str, str]:
    """Package -> version, as the lock files have them."""
    found = dict(re.findall(r"^([\w.-]+)==([\w.]+)", LOCK.read_text(), re.MULTILINE))
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    for path, package in packages.items():
        if path.startswith("node_modules/"):
            found[path.removeprefix("node_modules/")] = package["version"]
    return found


def installed_versions(python: Path, node_modules: Path) -> dict[str, str]:
    """Package -> version of what is there to run, whatever the lock files say."""
    names = [name for client in CLIENTS if client.registry == "PyPI" for name in client.packages]
    asking = (
        "import json, sys, importlib.metadata as m; print(json.dumps([m.version(n) for n in sys.argv[1:]]))"
    )
    told = subprocess.run([python, "-c", asking, *names], capture_output=True, check=True, timeout=60).stdout
    found = dict(zip(names, json.loads(told), strict=True))
    for package in (name for client in CLIENTS if client.registry == "npm" for name in client.packages):
        about = node_modules / package / "package.json"
        if about.exists():
            found[package] = json.loads(about.read_text())["version"]
    return found


def label(client: Pinned, versions: dict[str, str]) -> str:
    """The packages with their versions, as the page shows them."""
    return ", ".join(f"`{name}` {versions[name]}" for name in client.packages)
