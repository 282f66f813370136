"""Nothing secret and nothing of one machine stands in the repository."""

import re

import pytest

from tests.architecture.repository import name_of, tracked_files

PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
    "OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_]{32,}"),
    "Anthropic key": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{24,}"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "password in an address": re.compile(
        r"\b(?:postgresql|mysql|redis|amqp)s?://[^\s:/]+:(?!\$|\{)[^\s@/]{12,}@"
    ),
}
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home/[a-z]\w*|Users/[A-Z]\w*|root|work)/[\w.]")
PUBLIC_EXAMPLES = ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE")
"""Published by their owners as examples."""


def text_files() -> list[tuple[str, str]]:
    found = []
    for path in tracked_files():
        raw = path.read_bytes()
        if b"\0" not in raw[:8192]:
            found.append((name_of(path), raw.decode(errors="replace")))
    return found


@pytest.mark.parametrize("kind", PATTERNS)
def test_no_secret_is_committed(kind: str) -> None:
    found = [
        f"{name}: {match.group()[:12]}…"
        for name, text in text_files()
        for match in PATTERNS[kind].finditer(text)
        if match.group() not in PUBLIC_EXAMPLES
    ]

    assert not found


def test_no_path_of_one_machine_is_committed() -> None:
    found = [
        f"{name}: {match.group()}" for name, text in text_files() for match in MACHINE_PATHS.finditer(text)
    ]

    assert not found


def test_the_scan_finds_what_it_looks_for() -> None:
    samples = {
        "OpenAI key": "sk-" + "a1B2" * 10,
        "Anthropic key": "sk-ant-" + "a1B2" * 8,
        "AWS key": "AKIA" + "ABCD" * 4,
        "GitHub token": "ghp_" + "a1B2" * 9,
        "password in an address": "postgresql://u:" + "averylongsecret@h",
    }

    for kind, sample in samples.items():
        assert PATTERNS[kind].search(sample), kind
    assert MACHINE_PATHS.search("see /" + "home/someone/x")
