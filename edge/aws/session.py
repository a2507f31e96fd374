"""How AWS is asked: one botocore session per account, with the profile, roles, files and endpoints of the stack.

botocore is imported only where AWS is asked: `edgectl check` must not pay for it. Reads go through `ask` and `pages`,
which turn everything that can go wrong into one sentence (`edge/aws/errors.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from edge.aws.access import AssumedRole, AwsAccess
from edge.aws.errors import Place, translated
from edge.errors import AwsError


class AwsClients(Protocol):
    """What the reads need: a client of botocore per service. Clients may be used from many threads at once."""

    @property
    def region(self) -> str:
        """Return the Region that is asked."""
        ...

    def client(self, service: str) -> Any:
        """Return the client of a service, by botocore's name (`eks`). Raises AwsError when there are no credentials."""
        ...


@dataclass(frozen=True)
class Limits:
    """Seconds for a connection and for one answer; how often a call is tried; how many connections a client keeps."""

    connect: float = 5.0
    answer: float = 30.0
    attempts: int = 4
    connections: int = 16


LIMITS = Limits()


class BotocoreClients:
    """Clients of one account. The session is opened and its credentials are resolved once, when the first is wanted."""

    def __init__(self, access: AwsAccess, limits: Limits = LIMITS) -> None:
        self._access, self._limits = access, limits
        self._lock = threading.RLock()  # sessions of botocore make one client at a time
        self._session: Any = None
        self._refused: AwsError | None = None
        self._made: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """Return the Region that is asked."""
        return self._access.region

    def client(self, service: str) -> Any:
        """Return the client of a service, made when it is first asked for. Raises AwsError that says why it cannot."""
        with self._lock, translated(Place(f"{service} client", self.region)):
            if service not in self._made:
                self._made[service] = _make(self._opened(), self._access, self._limits, service)
            return self._made[service]

    def _opened(self) -> Any:
        """Return the session; a second try would fail as the first did, and searching credentials takes seconds."""
        if self._refused is not None:
            raise self._refused
        if self._session is None:
            try:
                self._session = _open(self._access, self._limits)
            except AwsError as error:
                self._refused = error
                raise
        return self._session


def ask(clients: AwsClients, action: str, **values: Any) -> dict[str, Any]:
    """Return the answer to one call. `action` is its IAM action, such as `eks:DescribeCluster`. Raises AwsError."""
    from botocore import xform_name  # type: ignore[import-untyped]

    service, _, operation = action.partition(":")
    with translated(Place(action, clients.region)):
        answer: dict[str, Any] = getattr(clients.client(service), xform_name(operation))(**values)
        return answer


def pages(clients: AwsClients, action: str, key: str, **values: Any) -> list[Any]:
    """Return what stands under `key` in all pages of an answer. Raises AwsError."""
    from botocore import xform_name

    service, _, operation = action.partition(":")
    with translated(Place(action, clients.region)):
        paginator = clients.client(service).get_paginator(xform_name(operation))
        return [one for page in paginator.paginate(**values) for one in page.get(key) or ()]


def _open(access: AwsAccess, limits: Limits) -> Any:
    """Return a session that has its credentials, after all roles were taken on."""
    from botocore.credentials import CredentialResolver  # type: ignore[import-untyped]

    place = Place("credentials", access.region)
    with translated(place):
        session = _session(access)
        found = _first_credentials(session, access)
        if found is None:
            from botocore.exceptions import NoCredentialsError  # type: ignore[import-untyped]

            raise NoCredentialsError
        found.get_frozen_credentials()
        for role in access.roles:
            found = _assumed(session, access, limits, role, found)
        session.register_component("credential_provider", CredentialResolver([_Found(found)]))
    return session


def _session(access: AwsAccess) -> Any:
    """Return a session of botocore with profile, files and CA bundle; nothing is read yet."""
    from botocore.session import Session  # type: ignore[import-untyped]

    session = Session()
    session.set_config_variable("region", access.region)
    if access.profile:
        session.set_config_variable("profile", access.profile)
    if access.ca_bundle:
        session.set_config_variable("ca_bundle", _file("customCaBundle", access.ca_bundle, access.region))
    configs = [_file("sharedConfigFiles", path, access.region) for path in access.config_files]
    logins = [_file("sharedCredentialsFiles", path, access.region) for path in access.credentials_files]
    if configs:
        session.set_config_variable("config_file", configs[-1])
    if logins:
        session.set_config_variable("credentials_file", logins[-1])
    if len(configs) > 1 or len(logins) > 1:
        _read_together(session, configs, logins)
    return session


def _read_together(session: Any, configs: list[str], logins: list[str]) -> None:
    """Let a session read several shared files as one: a later file wins, key by key, as in the SDK of the AWS provider.

    botocore itself knows one of each kind; the last one is set already.
    """
    from botocore.configloader import load_config, raw_config_parse  # type: ignore[import-untyped]
    from botocore.credentials import ConfigProvider, SharedCredentialProvider

    config = session.full_config
    for kind in ("profiles", "sso_sessions", "services"):
        together: dict[str, dict[str, Any]] = {}
        for path in configs:
            _merge(together, load_config(path).get(kind, {}))
        _merge(together, config.get(kind, {}))
        config[kind] = together
    keys: dict[str, dict[str, Any]] = {}
    for path in logins:
        _merge(keys, raw_config_parse(path))
    _merge(config["profiles"], keys)
    profile = session.get_config_variable("profile") or "default"
    resolver = session.get_component("credential_provider")
    shared = SharedCredentialProvider("", profile_name=profile, ini_parser=lambda _: keys)
    resolver.insert_before("shared-credentials-file", shared)
    resolver.insert_before("config-file", ConfigProvider("", profile_name=profile, config_parser=lambda _: config))


def _merge(into: dict[str, dict[str, Any]], more: Mapping[str, Mapping[str, Any]]) -> None:
    for name, values in more.items():
        into[name] = {**into.get(name, {}), **values}


def _file(key: str, path: str, region: str) -> str:
    """Return the path of a file that a key of the stack names. Raises AwsError when it is not there."""
    found = Path(path).expanduser()
    if found.exists():
        return str(found)
    raise AwsError(
        f"`aws:{key}` names {path}, which does not exist.",
        remedy=f"Correct `aws:{key}` in the stack file.",
        where=f"AWS credentials in {region}",
    )


def _first_credentials(session: Any, access: AwsAccess) -> Any:
    """Return the credentials before any role is taken on, None when there are none."""
    from botocore.credentials import Credentials
    from botocore.exceptions import ProfileNotFound

    if access.access_key and access.secret_key:
        return Credentials(access.access_key, access.secret_key, access.token or None, method="stack")
    wanted = session.get_config_variable("profile")
    if wanted and wanted not in session.available_profiles:
        raise ProfileNotFound(profile=wanted)
    return session.get_component("credential_provider").load_credentials()


def _assumed(session: Any, access: AwsAccess, limits: Limits, role: AssumedRole, source: Any) -> Any:
    """Return the credentials of a role that `source` takes on; they renew themselves."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    extra = {"RoleSessionName": role.session_name}
    extra |= {"ExternalId": role.external_id} if role.external_id else {}
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(_make, session, access, limits),
        source_credentials=source,
        role_arn=role.arn,
        extra_args=extra | ({"DurationSeconds": role.duration} if role.duration else {}),
        expiry_window_seconds=60,  # with the usual 15 minutes a session of that length is renewed at every call
    )

    def fetch() -> Any:
        with translated(Place("sts:AssumeRole", access.region, role.arn)):
            return fetcher.fetch_credentials()

    found = DeferredRefreshableCredentials(refresh_using=fetch, method="assume-role")
    found.get_frozen_credentials()  # now: one role after the other, and an error before anything else is asked
    return found


def _make(session: Any, access: AwsAccess, limits: Limits, service: str, **keys: Any) -> Any:
    """Return a new client of a service."""
    from botocore.config import Config  # type: ignore[import-untyped]

    url = access.endpoint(service)
    config = Config(
        connect_timeout=limits.connect,
        read_timeout=limits.answer,
        retries={"total_max_attempts": limits.attempts, "mode": "standard"},
        max_pool_connections=limits.connections,
        # A URL that stands in for an endpoint is taken as it is; with FIPS as well botocore refuses it.
        use_fips_endpoint=(access.fips and url is None) or None,
    )
    try:
        return session.create_client(service, region_name=access.region, endpoint_url=url, config=config, **keys)
    except ValueError as error:
        if "Invalid endpoint" not in str(error):
            raise
        raise AwsError(
            f"`aws:endpoints` has no URL for {service}, but {url}.",
            remedy="Write it as https://HOST or https://HOST:PORT.",
            where=f"AWS {service} in {access.region}",
        ) from None


class _Found:
    """Hands credentials that were resolved already to a session, as a provider of botocore."""

    METHOD = CANONICAL_NAME = "edge-hosts"

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load(self) -> Any:
        """Return the credentials."""
        return self._credentials
