"""Nothing secret and nothing of one machine stands in the repository."""

import json
import math
import re
from collections import Counter
from functools import cache

import pytest

from tests.architecture.repository import name_of, tracked_files

PATTERNS = {
    "private key": re.compile(
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)+[A-Za-z0-9+/=]{40}"
    ),
    "age key": re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    "key of ours": re.compile(r"\bik_[a-z0-9]{1,12}_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b"),
    "signed token": re.compile(r"\bey[JK][A-Za-z0-9_-]{10,}\.ey[JK][A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_]{32,}"),
    "Anthropic key": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{24,}"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "payment key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "registry token": re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})"),
    "GitLab token": re.compile(r"\bglpat-[\w-]{20}"),
    "mail key": re.compile(r"\bSG\.[\w-]{20,}\.[\w-]{20,}"),
    "model provider's key": re.compile(
        r"\b(?:hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,})"
    ),
    "Google OAuth secret": re.compile(r"\b(?:GOCSPX-[\w-]{20,}|ya29\.[\w-]{30,})"),
    "address that lets in": re.compile(
        r"hooks\.slack\.com/services/T\w+/B\w+/\w{20,}|/api/webhooks/\d{15,}/[\w-]{40,}"
    ),
    "password in an address": re.compile(
        r"\b(?:postgresql|mysql|redis|amqp)s?://[^\s:/]+:(?!\$|\{)[^\s@/]{12,}@"
    ),
}
WORDS = {
    "private key": ("PRIVATE KEY",),
    "age key": ("AGE-SECRET-KEY-1",),
    "key of ours": ("ik_",),
    "signed token": (".eyJ", ".eyK"),
    "OpenAI key": ("sk-",),
    "Anthropic key": ("sk-ant-",),
    "AWS key": ("AKIA", "ASIA"),
    "Google key": ("AIza",),
    "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "Slack token": ("xoxa-", "xoxb-", "xoxr-", "xoxs-", "xoxp-"),
    "payment key": ("rk_live_", "sk_live_"),
    "registry token": ("npm_", "pypi-"),
    "GitLab token": ("glpat-",),
    "mail key": ("SG.",),
    "model provider's key": ("hf_", "gsk_", "xai-", "pplx-"),
    "Google OAuth secret": ("GOCSPX-", "ya29."),
    "address that lets in": ("hooks.slack.com/services/", "/api/webhooks/"),
    "password in an address": ("://",),
}
"""One of them is in whatever the pattern finds. Looking for them takes a tenth of the time."""
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home/[a-z]\w*|Users/[A-Z]\w*|root|work)/[\w.]")
PUBLIC_EXAMPLES = (
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
    "dGhlIHNhbXBsZSBub25jZQ==",
)
"""Published as examples by their owners, and by RFC 6455."""
NOT_SIGNED = ("dozjgNryP4J3jVmNHl0w5N", "c2lnbmF0dXJl")
"""The end of the token that everybody uses as an example, and the word `signature`."""
MADE_UP = re.compile(r"0123456789|planted|AAAAAAAAAAAA")
NAMED_VALUE = re.compile(
    r"(?i)(?:key|secret|token|passw(?:or)?d|credential|pepper|bearer)[\w.-]{0,20}[\"']?\s{0,2}[:=]\s{0,2}"
    r"[bf]?[\"']?([A-Za-z0-9+/_=-]{24,})"
)
"""Whatever looks drawn, beside a word that says what it is: finds what no known prefix does."""
LONG_WITH_DIGIT = re.compile(r"(?<![A-Za-z0-9+/_=-])(?=[A-Za-z+/_=-]*[0-9])[A-Za-z0-9+/_=-]{24,}")
"""What every such value is a part of; quickly found, and little of any text."""
BEFORE_VALUE = 60
"""Characters that its name and what stands between them take at most."""
ENTROPY_BITS = 4.0
"""Per character: names and sentences stay below, 24 characters of chance are above."""


@cache
def text_files() -> list[tuple[str, str]]:
    found = []
    for path in tracked_files():
        raw = path.read_bytes()
        if b"\0" not in raw[:8192]:
            found.append((name_of(path), raw.decode(errors="replace")))
    return found


def entropy_bits(text: str) -> float:
    """Of one character, by how often each occurs in the text."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def known_secrets(kind: str, text: str) -> list[str]:
    if not any(word in text for word in WORDS[kind]):
        return []
    return [
        match.group()
        for match in PATTERNS[kind].finditer(text)
        if match.group() not in PUBLIC_EXAMPLES
        and not MADE_UP.search(match.group())
        and not any(end in match.group() for end in NOT_SIGNED)
    ]


def drawn_values(text: str) -> list[str]:
    """Values of chance beside a word that calls them a secret."""
    return [
        value
        for run in LONG_WITH_DIGIT.finditer(text)
        for value in NAMED_VALUE.findall(text, max(0, run.start() - BEFORE_VALUE), run.end())
        if any(letter.isdigit() for letter in value)
        and entropy_bits(value) >= ENTROPY_BITS
        and value not in PUBLIC_EXAMPLES
        and not MADE_UP.search(value)
    ]


@pytest.mark.parametrize("kind", PATTERNS)
def test_no_secret_is_committed(kind: str) -> None:
    found = [f"{name}: {secret[:12]}…" for name, text in text_files() for secret in known_secrets(kind, text)]

    assert not found


def test_nothing_that_was_drawn_stands_beside_the_word_secret() -> None:
    found = [f"{name}: {value[:8]}…" for name, text in text_files() for value in drawn_values(text)]

    assert not found


def test_every_lock_pins_what_it_names_with_a_hash() -> None:
    """Also of whoever installs by hand: without `--require-hashes` in a file, only hashes make it checked."""
    locks = {name: text for name, text in text_files() if name.endswith(".lock")}
    assert locks
    for name, text in locks.items():
        for entry in re.split(r"\n(?=\S)", text.strip()):
            assert re.match(r"[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==\S+", entry), (name, entry[:60])
            assert "--hash=sha256:" in entry, (name, entry[:60])


def test_every_npm_lock_has_a_digest_for_each_package() -> None:
    for name, text in text_files():
        if name.endswith("package-lock.json"):
            packages = json.loads(text)["packages"]
            bare = [path for path, found in packages.items() if path and not found.get("integrity")]
            assert not [path for path in bare if not packages[path].get("link")], name


def test_whatever_installs_packages_takes_them_from_locks() -> None:
    """`pip install` without hashes would take what a registry says today."""
    for name, text in text_files():
        if name in ("Makefile", "Dockerfile", ".ci/run"):
            for line in text.replace("\\\n", " ").splitlines():
                if (
                    re.search(r"\bpip\b.* install |\$\(PIP\) install ", line)
                    and "--require-hashes" not in line
                ):
                    assert re.search(r"--no-deps|install (?:--quiet )?uv$", line), (name, line.strip())


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
        "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE" + "a1B2" * 12,
        "age key": "AGE-SECRET-" + "KEY-1" + "A1B2" * 14,
        "key of ours": "ik_" + "live_" + "a1B2c3D4e5F6" + "_" + ("xY7z" * 11)[:43] + "_00aZ9b",
        "signed token": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiJyb290In0" + ".s1gnatureXx",
        "payment key": "sk_" + "live_" + "a1B2" * 6,
        "registry token": "npm_" + "a1B2" * 9,
        "GitLab token": "glpat-" + "a1B2" * 5,
        "mail key": "SG." + "a1B2" * 6 + "." + "c3D4" * 6,
        "model provider's key": "hf_" + "a1B2" * 8,
        "Google OAuth secret": "GOCSPX-" + "a1B2" * 6,
        "address that lets in": "https://hooks.slack.com/services/" + "T0AB/B0CD/" + "a1B2" * 6,
        "Google key": "AIza" + "a1B2c" * 7,
        "Slack token": "xoxb-" + "a1B2" * 6,
    }
    assert samples.keys() == PATTERNS.keys()

    for kind, sample in samples.items():
        for place in ("{}", 'key = "{}"', "  - value: {}  # note", '{{"a": "{}"}}', "docs say `{}`."):
            assert known_secrets(kind, place.format(sample)), (kind, place)
    for kind, beginnings, rest in (
        ("AWS key", "ASIA", "ABCD" * 4),
        ("GitHub token", "gho_ ghu_ ghs_ ghr_ github_pat_", "a1B2" * 9 + "_" * 4),
        ("Slack token", "xoxa- xoxp- xoxr- xoxs-", "a1B2" * 6),
        ("payment key", "rk_live_", "a1B2" * 6),
        ("registry token", "pypi-", "a1B2" * 13),
        ("model provider's key", "gsk_ xai- pplx-", "a1B2" * 16),
        ("Google OAuth secret", "ya29.", "a1B2" * 8),
        ("address that lets in", "https://any.example/api/webhooks/", "12345" * 4 + "/" + "a1B2" * 10),
    ):
        for beginning in beginnings.split():
            assert known_secrets(kind, f"{beginning}{rest}"), (kind, beginning)
    chance = "q7Zp2Lx9" + "Vb4Nt8Rk" + "Ws5Yc1Hd"
    for line in (
        f'API_KEY = "{chance}"',
        f"client_secret: {chance}",
        f'"token": "{chance}"',
        f"PEPPER={chance}",
    ):
        assert drawn_values(line) == [chance], line
    assert MACHINE_PATHS.search("see /" + "home/someone/x")
