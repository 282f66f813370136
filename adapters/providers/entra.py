"""Microsoft Entra ID: tokens for applications, federated workloads and managed identities.

Sources: "OAuth 2.0 client credentials flow" and "How to use managed identities to acquire an access token"
of Microsoft's identity documentation; "REST endpoint reference" of App Service for `X-IDENTITY-HEADER`.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from adapters.providers.azure import ENTRA_SCOPE
from adapters.providers.token_files import token_of_file
from adapters.providers.token_requests import (
    AccessToken,
    HeaderPairs,
    TokenRequests,
    TokenUrl,
    decoded,
    token_in,
    token_url,
)
from adapters.providers.tokens import TokenSource

AUTHORITY: Final = "https://login.microsoftonline.com"
IMDS: Final = "http://169.254.169.254"
_WHO: Final = "Microsoft Entra ID"
_WHO_LOCAL: Final = "the managed identity endpoint"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class EntraApplication(TokenSource):
    """An application that proves itself with a secret, or with a federated token read anew each time."""

    headers: HeaderPairs = ()

    def __init__(self, values: Mapping[str, str]) -> None:
        """`tenant_id`, `client_id`, and `client_secret` or `token_file`; `scope`, `authority_url`.

        Raises ValueError for an authority that is neither https nor on loopback.
        """
        authority = (values.get("authority_url") or AUTHORITY).rstrip("/")
        tenant = quote(values["tenant_id"], safe="")
        try:
            self._url: TokenUrl = token_url(f"{authority}/{tenant}/oauth2/v2.0/token")
        except ValueError as error:
            raise ValueError(f"authority_url {error}") from None
        self._client_id = values["client_id"]
        self._secret = values.get("client_secret", "")
        self._token_file = values.get("token_file", "")
        self._scope = values.get("scope") or ENTRA_SCOPE

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        fields = {
            "client_id": self._client_id,
            "scope": self._scope,
            "grant_type": "client_credentials",
        }
        if self._secret:
            fields["client_secret"] = self._secret
        else:
            fields["client_assertion_type"] = _ASSERTION_TYPE
            fields["client_assertion"] = await token_of_file(self._token_file)
        answer = await requests.post_form(self._url, fields, who=_WHO)
        return token_in(answer, requests.now(), who=_WHO)


class EntraManagedIdentity(TokenSource):
    """The identity of the machine (IMDS), or of an App Service, Function or Container App."""

    headers: HeaderPairs = ()

    def __init__(self, values: Mapping[str, str]) -> None:
        """`client_id` names a user-assigned identity. `endpoint_url` replaces IMDS; with `identity_header`
        it is the whole endpoint of an App Service. Raises ValueError for an endpoint off this machine."""
        self._proof: HeaderPairs = (("metadata", "true"),)
        scope = values.get("scope") or ENTRA_SCOPE
        query = {"api-version": "2018-02-01", "resource": scope.removesuffix("/.default")}
        url = (values.get("endpoint_url") or IMDS).rstrip("/") + "/metadata/identity/oauth2/token"
        if values.get("identity_header"):
            self._proof = (("x-identity-header", values["identity_header"]),)
            query["api-version"] = "2019-08-01"
            url = values.get("endpoint_url", "")
        if values.get("client_id"):
            query["client_id"] = values["client_id"]
        try:
            self._url = token_url(f"{url}?{urlencode(query)}", metadata=True)
        except ValueError as error:
            raise ValueError(f"endpoint_url {error}") from None

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        body = await requests.get(self._url, who=_WHO_LOCAL, headers=self._proof)
        answer = decoded(body, _WHO_LOCAL)
        if "expires_in" not in answer and str(answer.get("expires_on", "")).isdigit():
            # App Service tells the end as seconds since 1970.
            answer["expires_in"] = int(answer["expires_on"]) - int(requests.now().timestamp())
        return token_in(answer, requests.now(), who=_WHO_LOCAL)
