"""Log probabilities between the chat shape (the pivot's) and Gemini's."""

from typing import Any

Json = dict[str, Any]


def logprobs_result(content: list[Json]) -> Json:
    """Chat's `logprobs.content` as Gemini's `logprobsResult`."""
    result: Json = {"chosenCandidates": [_candidate(token) for token in content]}
    tops = [token.get("top_logprobs") or [] for token in content]
    if any(tops):
        result["topCandidates"] = [{"candidates": [_candidate(one) for one in top]} for top in tops]
    return result


def _candidate(token: Json) -> Json:
    return {"token": token["token"], "logProbability": token["logprob"]}


def chat_logprobs(result: Any) -> list[Json]:
    """Gemini's `logprobsResult` as chat's `logprobs.content`; empty when there is none."""
    if not isinstance(result, dict):
        return []
    tops = result.get("topCandidates") or []
    content = [_token(chosen) for chosen in result.get("chosenCandidates") or ()]
    for place, token in enumerate(content):
        top = tops[place].get("candidates") or () if place < len(tops) else ()
        token["top_logprobs"] = [_token(one) for one in top]
    return content


def _token(candidate: Json) -> Json:
    text = str(candidate.get("token") or "")
    return {
        "token": text,
        "logprob": candidate.get("logProbability", 0.0),
        "bytes": list(text.encode("utf-8", "replace")),
    }
