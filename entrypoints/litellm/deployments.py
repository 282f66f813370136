"""`model_list`: each deployment becomes a target of a provider, each `model_name` a group of targets."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from entrypoints.config.problems import ConfigPath
from entrypoints.config.provider_sections import ModelSettings, ProviderSettings
from entrypoints.litellm.draft import Draft, number, period_of, seconds, whole
from entrypoints.litellm.kinds import NEEDS_ADDRESS, ModelString, read_model
from entrypoints.litellm.report import Reference, Report, referenced

_PRICES: Final = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cached_input_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_usd_per_mtok",
    "output_cost_per_reasoning_token": "reasoning_usd_per_mtok",
    "input_cost_per_audio_token": "input_audio_usd_per_mtok",
    "output_cost_per_audio_token": "output_audio_usd_per_mtok",
}
_SIZES: Final = {"max_input_tokens": "context_tokens", "max_output_tokens": "max_output_tokens"}
_CREDENTIALS: Final = {
    "api_version": "api_version",
    "vertex_project": "project",
    "vertex_location": "location",
    "aws_region_name": "location",
}
_SECRET_PARAMETERS: Final = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_role_name",
        "aws_profile_name",
        "vertex_credentials",
        "azure_ad_token",
        "tenant_id",
        "client_id",
        "client_secret",
    }
)
_READ_ELSEWHERE: Final = frozenset(
    {"model", "custom_llm_provider", "api_key", "api_base", "base_url", "organization", "extra_headers"}
    | {"rpm", "tpm", "weight", "order", "timeout", "stream_timeout", "max_retries", "num_retries", "tags"}
    | {"max_budget", "budget_duration", "litellm_credential_name"}
)
_TALKATIVE: Final = frozenset({"id", "mode", "db_model", "litellm_provider", "key", "max_tokens"})
ROUTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,126}")
_TOKENS_PER_MTOK: Final = Decimal(1_000_000)


class Deployments:
    """Reads `model_list` into a draft."""

    def __init__(self, draft: Draft, report: Report, credentials: Mapping[str, Mapping[str, Any]]) -> None:
        self._draft = draft
        self._report = report
        self._credentials = credentials
        self._names: dict[tuple[Any, ...], str] = {}
        self._deployed: dict[str, list[tuple[ConfigPath, dict[str, int]]]] = {}

    def read(self, model_list: Any) -> None:
        if not isinstance(model_list, list):
            return
        for place, entry in enumerate(model_list):
            path: ConfigPath = ("model_list", place)
            if not isinstance(entry, Mapping) or not isinstance(entry.get("litellm_params"), Mapping):
                self._report.attention(path, "not a deployment: litellm_params is missing; left out")
                continue
            self._deployment(path, entry)
        self._limits()

    def _deployment(self, path: ConfigPath, entry: Mapping[str, Any]) -> None:
        parameters = dict(entry["litellm_params"])
        inner: ConfigPath = (*path, "litellm_params")
        named = parameters.get("litellm_credential_name")
        if named is not None:
            if str(named) not in self._credentials:
                self._report.attention(
                    (*inner, "litellm_credential_name"), f"no credential {named!r} in this file"
                )
            parameters = {**self._credentials.get(str(named), {}), **parameters}
        text = str(parameters.get("model") or "")
        meant = read_model(text, parameters.get("custom_llm_provider"))
        group = str(entry.get("model_name") or text)
        if meant is None:
            self._report.attention((*inner, "model"), f"no provider of ours for {text!r}; left out")
            return
        if meant.prefix in NEEDS_ADDRESS and not (parameters.get("api_base") or parameters.get("base_url")):
            self._report.attention((*inner, "model"), f"{meant.prefix} needs api_base; left out")
            return
        if not meant.prefix:
            self._report.changed((*inner, "model"), f"{text!r} names no provider; taken as {meant.kind}'s")
        provider = self._provider(inner, parameters, meant)
        if "*" in meant.model or "*" in group:
            self._wildcard(path, group, provider, meant)
            return
        self._model(path, entry, parameters, provider, meant)
        self._target(inner, parameters, provider, meant, group)

    def _provider(self, path: ConfigPath, parameters: Mapping[str, Any], meant: ModelString) -> str:
        """The provider section with this address and these credentials, made when it is new."""
        section: dict[str, Any] = {"kind": meant.kind}
        address = referenced(parameters.get("api_base") or parameters.get("base_url"))
        if address:
            section["base_url"] = self._address((*path, "api_base"), address, meant.kind)
        key = referenced(parameters.get("api_key"))
        if key:
            section["api_key"] = key
            if not isinstance(key, Reference):
                self._report.attention(
                    (*path, "api_key"),
                    "a key in plain text; it is copied, but a variable (${NAME}) keeps it out of files",
                )
        for theirs, ours in _CREDENTIALS.items():
            if parameters.get(theirs) is not None and ours in ProviderSettings.model_fields:
                section[ours] = referenced(parameters[theirs])
        headers = self._headers(parameters)
        if headers:
            section["headers"] = headers
        same = tuple(sorted((name, repr(value)) for name, value in section.items()))
        known = self._names.get(same)
        if known is None:
            known = self._names[same] = self._new_name(meant.kind)
            self._draft.providers[known] = section
            self._report.taken((*path, "model"), f"provider {known!r}")
        for name in sorted(_SECRET_PARAMETERS & parameters.keys()):
            self._report.attention(
                (*path, name),
                f"give provider {known!r} its cloud identity in `auth` (see docs/configuration.md)",
            )
        return known

    def _address(self, path: ConfigPath, address: Any, kind: str) -> Any:
        if isinstance(address, Reference):
            if kind == "ollama":
                self._report.attention(path, "our address of Ollama ends in /v1; check the variable")
            return address
        trimmed = str(address).rstrip("/")
        if kind == "ollama" and not trimmed.endswith("/v1"):
            self._report.changed(path, "Ollama is reached through its OpenAI-compatible /v1")
            return f"{trimmed}/v1"
        for ending in ("/chat/completions", "/v1/messages"):
            if trimmed.endswith(ending):
                self._report.changed(path, f"without {ending}, which is added per request")
                trimmed = trimmed.removesuffix(ending)
        return trimmed

    @staticmethod
    def _headers(parameters: Mapping[str, Any]) -> dict[str, Any]:
        extra = parameters.get("extra_headers")
        headers = (
            {str(name): referenced(value) for name, value in extra.items()}
            if isinstance(extra, Mapping)
            else {}
        )
        if parameters.get("organization"):
            headers["openai-organization"] = referenced(parameters["organization"])
        return headers

    def _new_name(self, kind: str) -> str:
        name, count = kind, 1
        while name in self._draft.providers:
            count += 1
            name = f"{kind}-{count}"
        return name

    def _wildcard(self, path: ConfigPath, group: str, provider: str, meant: ModelString) -> None:
        if group == "*" or not meant.model.startswith("*"):
            self._report.attention(
                (*path, "model_name"), f"{group!r}: name the models, or call them as {provider}/<model>"
            )
        elif group.removesuffix("*") == f"{provider}/":
            self._report.taken(
                (*path, "model_name"), f"every model the catalogue knows, as {provider}/<model>"
            )
        else:
            self._report.changed(
                (*path, "model_name"), f"callers ask for {provider}/<model> instead of {group}"
            )

    def _model(
        self,
        path: ConfigPath,
        entry: Mapping[str, Any],
        parameters: Mapping[str, Any],
        provider: str,
        meant: ModelString,
    ) -> None:
        """What the file knows about the model itself."""
        models = self._draft.providers[provider].setdefault("models", {})
        section: dict[str, Any] = models.setdefault(meant.model, {})
        info = entry.get("model_info")
        info = info if isinstance(info, Mapping) else {}
        for source, inner in ((parameters, "litellm_params"), (info, "model_info")):
            for theirs, ours in _PRICES.items():
                per_token = number(source.get(theirs))
                if per_token is not None and per_token >= 0:
                    section[ours] = format((per_token * _TOKENS_PER_MTOK).normalize(), "f")
                    self._report.taken((*path, inner, theirs), f"{ours}: {section[ours]}")
        for theirs, ours in _SIZES.items():
            size = whole(info.get(theirs))
            if size is not None:
                section[ours] = size
                self._report.taken((*path, "model_info", theirs), ours)
        if info.get("mode") == "embedding":
            section["capabilities"] = ["embeddings"]
        elif info.get("mode") not in (None, "chat", "completion", "responses"):
            self._report.attention((*path, "model_info", "mode"), f"check what {meant.model!r} can do here")
        if info.get("base_model"):
            self._base_model((*path, "model_info", "base_model"), str(info["base_model"]), section)
        tags = parameters.get("tags")
        if isinstance(tags, list):
            section["tags"] = [str(tag) for tag in tags]
            self._report.changed(
                (*path, "litellm_params", "tags"), "tags of the model; callers ask by header"
            )
        told = _PRICES.keys() | _SIZES.keys() | _TALKATIVE | {"base_model"}
        for name in info.keys() - told:
            self._report.no_counterpart((*path, "model_info", str(name)), "the catalogue says this itself")
        self._leftovers((*path, "litellm_params"), parameters)

    def _base_model(self, path: ConfigPath, base: str, section: dict[str, Any]) -> None:
        if "base_model" in ModelSettings.model_fields:
            section["base_model"] = base.partition("/")[2] or base
            self._report.taken(path, "base_model, for prices and capabilities")
        else:
            self._report.attention(path, "give the model its prices: this name is not looked up")

    def _leftovers(self, path: ConfigPath, parameters: Mapping[str, Any]) -> None:
        known = _READ_ELSEWHERE | _CREDENTIALS.keys() | _SECRET_PARAMETERS | _PRICES.keys()
        for name in sorted(parameters.keys() - known):
            if name == "drop_params":
                self._report.taken(
                    (*path, name), "always: what a provider lacks is dropped and named in a header"
                )
            else:
                self._report.no_counterpart((*path, name), "default parameters are the caller's here")
        if parameters.get("max_budget") is not None:
            self._budget(path, parameters)

    def _budget(self, path: ConfigPath, parameters: Mapping[str, Any]) -> None:
        limit, period = number(parameters["max_budget"]), period_of(parameters.get("budget_duration"))
        if limit is None or limit < 0 or period is None:
            self._report.attention((*path, "max_budget"), "no such period here; write the budget by hand")
            return
        model = str(parameters.get("model"))
        name = self._draft.add_budget(
            f"model {model}", {"model": model.partition("/")[2] or model}, period, limit
        )
        self._report.taken((*path, "max_budget"), f"budget {name!r}")

    def _target(
        self,
        path: ConfigPath,
        parameters: Mapping[str, Any],
        provider: str,
        meant: ModelString,
        group: str,
    ) -> None:
        target: dict[str, Any] = {"target": f"{provider}/{meant.model}"}
        for name in ("weight", "rpm", "tpm"):
            share = number(parameters.get(name))
            if share is not None and share > 0:
                target["weight"] = float(min(share, Decimal(1_000_000)))
                if name == "weight":
                    self._report.taken((*path, name), "weight of the target")
                else:
                    self._report.changed((*path, name), "the target's share of the traffic")
                break
        order = whole(parameters.get("order"))
        if order is not None:
            target["priority"] = order
            self._report.taken((*path, "order"), "priority of the target")
        limits = {name: whole(parameters.get(name)) for name in ("rpm", "tpm")}
        given = {name: value for name, value in limits.items() if value is not None}
        self._deployed.setdefault(provider, []).append((path, given))
        for name, ours in (("timeout", "total_s"), ("stream_timeout", "first_token_s")):
            bound = seconds(parameters.get(name))
            if bound is not None:
                target.setdefault("_timeouts", {})[ours] = bound
                self._report.changed((*path, name), f"the route's {ours}: the longest of its deployments")
        retries = number(parameters.get("max_retries", parameters.get("num_retries")))
        if retries is not None:
            target["_retries"] = int(min(max(retries, Decimal(0)), Decimal(10)))
            self._report.changed((*path, "max_retries"), "retries of the route: the most of its deployments")
        self._draft.groups.setdefault(group, []).append(target)
        self._draft.places.setdefault(group, (*path[:2], "model_name"))

    def _limits(self) -> None:
        """Limits belong to a provider's key here: they are taken where the key has one deployment."""
        for provider, deployed in self._deployed.items():
            section = self._draft.providers[provider]
            for path, given in deployed:
                if len(deployed) == 1 and given and "api_key" in section:
                    section["keys"] = [{"key": section.pop("api_key"), **given}]
                    for name in given:
                        self._report.taken((*path, name), f"limit of the key of provider {provider!r}")
                    continue
                for name in given:
                    self._report.attention(
                        (*path, name),
                        f"{provider!r} has no key, or several deployments share it; limit it under `keys`",
                    )
