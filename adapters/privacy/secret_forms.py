"""What secrets look like: what they begin with, and what follows."""

import re
from typing import Final, NamedTuple

BODY_CHARS_MAX: Final = 512


class SecretForm(NamedTuple):
    """`prefix` is literal; `body` a class of characters, of which `least` to BODY_CHARS_MAX follow."""

    prefix: str
    body: str
    least: int


_WORD: Final = "A-Za-z0-9"
_BASE_64: Final = r"A-Za-z0-9_\-"

PROVIDER_FORMS: Final = (
    SecretForm("sk-ant-", _BASE_64, 24),
    SecretForm("sk-proj-", _BASE_64, 24),
    SecretForm("sk-svcacct-", _BASE_64, 24),
    SecretForm("sk-or-v1-", _WORD, 32),
    SecretForm("sk-", _BASE_64, 20),
    SecretForm("sk_live_", _WORD, 16),
    SecretForm("sk_test_", _WORD, 16),
    SecretForm("rk_live_", _WORD, 16),
    SecretForm("rk_test_", _WORD, 16),
    SecretForm("whsec_", "A-Za-z0-9+/=", 24),
    SecretForm("pplx-", _WORD, 32),
    SecretForm("gsk_", _WORD, 32),
    SecretForm("xai-", _WORD, 32),
    SecretForm("hf_", _WORD, 30),
    SecretForm("r8_", _WORD, 30),
    SecretForm("fw_", _WORD, 20),
    SecretForm("nvapi-", _BASE_64, 32),
    SecretForm("AIza", _BASE_64, 35),
    SecretForm("ya29.", _BASE_64, 30),
    SecretForm("GOCSPX-", _BASE_64, 20),
    SecretForm("AKIA", "A-Z0-9", 16),
    SecretForm("ASIA", "A-Z0-9", 16),
    SecretForm("ghp_", _WORD, 30),
    SecretForm("gho_", _WORD, 30),
    SecretForm("ghu_", _WORD, 30),
    SecretForm("ghs_", _WORD, 30),
    SecretForm("ghr_", _WORD, 30),
    SecretForm("github_pat_", "A-Za-z0-9_", 36),
    SecretForm("glpat-", _BASE_64, 20),
    SecretForm("xoxb-", _BASE_64, 20),
    SecretForm("xoxa-", _BASE_64, 20),
    SecretForm("xoxp-", _BASE_64, 20),
    SecretForm("xoxs-", _BASE_64, 20),
    SecretForm("xoxr-", _BASE_64, 20),
    SecretForm("xapp-", _BASE_64, 20),
    SecretForm("npm_", _WORD, 36),
    SecretForm("pypi-AgEI", _BASE_64, 40),
    SecretForm("dop_v1_", "a-f0-9", 64),
    SecretForm("SG.", r"A-Za-z0-9_\-.", 40),
    SecretForm("shpat_", "a-fA-F0-9", 32),
    SecretForm("hvs.", _BASE_64, 24),
    SecretForm("lin_api_", _WORD, 32),
    SecretForm("dapi", "a-f0-9", 32),
)
INTERCHANGE_PREFIX: Final = "ik_"
_INTERCHANGE_BODY: Final = r"ik_[a-z0-9]{1,16}_[A-Za-z0-9]{4,64}_[A-Za-z0-9_\-]{16,160}"
PREFIXES: Final = tuple(sorted({*(form.prefix for form in PROVIDER_FORMS), INTERCHANGE_PREFIX}, key=len))
GUARD: Final = r"(?<![A-Za-z0-9])"

PROVIDER_KEYS: Final = re.compile(
    GUARD
    + "(?:"
    + "|".join(
        f"{re.escape(form.prefix)}[{form.body}]{{{form.least},{BODY_CHARS_MAX}}}+" for form in PROVIDER_FORMS
    )
    + ")"
)
INTERCHANGE_KEYS: Final = re.compile(GUARD + _INTERCHANGE_BODY)
OPENERS: Final = re.compile(GUARD + "(?:" + "|".join(map(re.escape, PREFIXES)) + "|eyJ)")
"""Where a secret may begin that has no end yet."""

JWT_CHARS_MAX: Final = 8_192
JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_\-.])eyJ[A-Za-z0-9_\-]{10,1500}\.[A-Za-z0-9_\-]{4,4000}(?:\.[A-Za-z0-9_\-]{0,800}){1,3}"
)

PEM_CHARS_MAX: Final = 8_192
PEM_BEGIN: Final = "-----BEGIN"
PEM_HEAD: Final = re.compile(r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PEM_END: Final = re.compile(r"-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PEM_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----)){0,8000}+")
PEM_FIRST_LINE: Final = re.compile(r"(?:\s|\\[nr]){0,6}[A-Za-z0-9+/=]{40}")
PEM_PARTIAL: Final = re.compile(
    r"-----BEGIN[ A-Z0-9]{0,60}+(?:-{0,5}\Z"
    r"|-----(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----)){0,8000}+(?:-----[A-Z0-9 ]{0,60}+-{0,5})?\Z)"
)
"""What may still become one."""

BEARER_SPACE: Final = re.compile(r"\s{1,4}")
BEARER_CHARS_MAX: Final = 4_096
BEARER_VALUE: Final = re.compile(r"[A-Za-z0-9._~+/=\-]{16,4096}")

URL_CREDENTIALS: Final = re.compile(r"([^\s/@:\"'<>\\]{0,64}:[^\s/@\"'<>\\]{1,128})@")
URL_BODY: Final = re.compile(r"[^\s/@\"'<>\\]{0,193}+")

PASSWORD_HINTS: Final = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "passwort",
    "kennwort",
    "contraseña",
)
PASSWORD_STEMS: Final = ("pass", "pwd", "wort", "contrase")
TOKEN_HINTS: Final = ("secret", "credential", "token", "key")
KEY_PREFIXES: Final = (
    "api",
    "access",
    "auth",
    "private",
    "secret",
    "account",
    "signing",
    "encryption",
    "master",
)
"""What stands before `key` where it is one: `api_key`, `access-key`."""
ASSIGNED: Final = re.compile(
    r"[A-Za-z0-9_]{0,16}(?:\\{0,2}[\"'`])?(?:\s{0,3}(?:=>|:=|[:=])|\s(?:is|ist|es|lautet)\s?:?)\s{0,3}"
)
QUOTED_VALUE: Final = re.compile(r"(\\{0,2}[\"'`])((?:(?!\1)[^\n\r]){6,200}+)\1")
PLAIN_VALUE: Final = re.compile(r"[^\s\"'`,;()<>{}\[\]\\]{6,200}+")
VALUE_CHARS_MAX: Final = 208
PLACEHOLDER: Final = re.compile(
    r"your|example|placeholder|change.?me|redacted|xxx|\*\*\*|\.\.\.|<|\$\{|\{\{|%\(|process\.env|os\.environ|"
    r"getenv|^(?:none|null|true|false|undefined|string|required|optional|str|bytes)$",
    re.IGNORECASE,
)
