"""The Palette side of a site: endpoint, project, registration token, and what stands in the hosts' user-data."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from edge.settings.access import LoginName, NamedSecret, SecretRef, with_named_secrets
from edge.settings.base import Model, not_text, refuse
from edge.settings.certificates import Certificate
from edge.settings.scalars import Address, DnsName, PublicKey, Switch, TagText, Text, WebUrl, one_line, tag_text

SAAS_ENDPOINT = "api.spectrocloud.com"
TOKEN_SECRET = "registrationToken"  # noqa: S105  (the name of a secret)
API_KEY_SECRET = "paletteApiKey"  # noqa: S105  (the name of a secret)
RESERVED_TAGS = "edge-hosts-"

Manage = Literal["ntp", "dns", "staticIp", "overlay"]


def _day(value: object) -> date:
    """Return a day; YAML 1.1 and 1.2 both turn an unquoted one into a time stamp, so it must be text."""
    if not isinstance(value, str):
        raise not_text(value)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise refuse("is no day", 'Write year-month-day in quotes, for example "2027-01-31"') from None


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class ConfigToken(Model):
    """The registration token comes from the stack's secrets."""

    source: Literal["config"] = Field(
        default="config", description="The token is the stack's secret `registrationToken`."
    )


class ApiToken(Model):
    """The registration token is made by the program for this site, and revoked with it."""

    source: Literal["api"] = Field(description="The token is made through the Palette API and revoked on destroy.")
    expires: Day = Field(description="Last day of the token, in quotes; fixed when it is made.")


def _token_kind(value: Any) -> str | None:
    source = value.get("source", "config") if isinstance(value, dict) else getattr(value, "source", None)
    return f"~{source}" if source in ("config", "api") else None


TokenSource = Annotated[
    Annotated[ConfigToken, Tag("~config")] | Annotated[ApiToken, Tag("~api")],
    Discriminator(
        _token_kind,
        custom_error_type="edge_refused",
        custom_error_message="is no known source of the registration token",
        custom_error_context={
            "problem": "is no known source of the registration token",
            "remedy": 'Write {source: config}, or {source: api, expires: "2027-01-31"}',
        },
    ),
]


class User(Model):
    """A user that the agent makes on the host. There is no default user and no default password."""

    groups: tuple[LoginName, ...] = Field(default=("sudo",), description="Groups of the user.")
    ssh_authorized_keys: tuple[PublicKey, ...] = Field(default=(), description="Public keys that may log in.")
    password_hash: NamedSecret | None = Field(
        default=None, description="Secret that holds a crypt hash of the password (`mkpasswd -m sha-512`)."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_plain_password(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and ("passwd" in raw or "password" in raw):
            raise refuse(
                "has a password in clear text",
                "Use `sshAuthorizedKeys`, or passwordHash: {secret: NAME} with a hash made by `mkpasswd -m sha-512`",
            )
        return raw

    @model_validator(mode="after")
    def _can_log_in(self) -> User:
        if not self.ssh_authorized_keys and self.password_hash is None:
            raise refuse(
                "can never log in", "Add `sshAuthorizedKeys`, or passwordHash: {secret: NAME}, or remove the user"
            )
        return self


class StaticNetwork(Model):
    """The static address of a host as Palette sets it: the address itself is the host's own line."""

    interface: Text = Field(description="Name of the network interface, for example ens160.")
    gateway: Address = Field(description="Default gateway.")
    nameserver: Address = Field(description="DNS server.")


class RegistryCredentials(Model):
    """Login at the registry that the hosts pull images from."""

    domain: Text = Field(description="Registry, as HOST[:PORT][/PATH], without a scheme.")
    username: Text = Field(description="User name at the registry.")
    password: NamedSecret = Field(description="Password at the registry.")
    insecure: Switch = Field(
        default=False, description="Do not verify the registry's certificate; production refuses it."
    )


def _tag_key(value: object) -> str:
    text = tag_text(value)
    if text.startswith(RESERVED_TAGS):
        raise refuse("is a tag that the program sets itself", f"Choose a name that does not begin with {RESERVED_TAGS}")
    return text


def _uid(value: object) -> str:
    text = one_line(value)
    if not re.fullmatch(r"[0-9a-f]{24}", text):
        raise refuse(
            "is no uid of a Palette project", "Write the 24 hexadecimal digits in quotes, or the name as `project`"
        )
    return text


def _endpoint(value: object) -> str:
    """Return the API's host name, with an optional port left out on purpose: Palette is always at 443."""
    from edge.settings.scalars import dns_name

    name = dns_name(value)
    if name == "console.spectrocloud.com":
        raise refuse("is the address of the web console", f"Write {SAAS_ENDPOINT}")
    return name


Tags = dict[Annotated[str, BeforeValidator(_tag_key)], TagText]
Users = dict[LoginName, User]


class Palette(Model):
    """How the site belongs to Palette."""

    endpoint: Annotated[DnsName, BeforeValidator(_endpoint)] = Field(
        default=SAAS_ENDPOINT, description="Host name of the Palette API, without a scheme."
    )
    project: Text | None = Field(default=None, description="Name of the project that the hosts belong to.")
    project_uid: (
        Annotated[str, BeforeValidator(_uid), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{24}$"})] | None
    ) = Field(default=None, description="Uid of that project, instead of `project`.")
    api_url: WebUrl | None = Field(
        default=None, description="Base address of the API; https://ENDPOINT when it is not given."
    )
    dedicated: Switch = Field(
        default=False, description="The endpoint is a dedicated or self-hosted instance, not the vendor's SaaS."
    )
    ca_cert: Certificate | None = Field(
        default=None, description="CA that signed the instance's certificate, when it is not a public one."
    )
    insecure_skip_verify: Switch = Field(
        default=False, description="Do not verify the instance's certificate; production refuses it."
    )
    registration_token: TokenSource = Field(
        default=ConfigToken(), description="Where the registration token comes from."
    )
    tags: Tags = Field(default={}, description="Tags of every host of the site; they become labels in Palette.")
    manages: tuple[Manage, ...] = Field(
        default=(), description="What Palette manages on the hosts; decides on timesyncd, resolved, networkd."
    )
    vip_skip: Switch = Field(default=False, description="True switches kube-vip off (`stylus.vip.skip`).")
    users: Users = Field(default={}, description="Users that the agent makes on the hosts.")
    static_network: StaticNetwork | None = Field(
        default=None,
        description="Interface, gateway and DNS that Palette sets; needs `staticIp` in `manages`. An appliance VM has its"
        " own, from `vsphere`.",
    )
    registry_credentials: RegistryCredentials | None = Field(
        default=None, description="Login at a private image registry."
    )
    user_data_extra: Annotated[dict[str, Any], AfterValidator(with_named_secrets)] = Field(
        default={},
        description="More keys of the installer reference, merged into the user-data. {secret: NAME} is filled in;"
        " fixed parts are refused.",
    )

    @property
    def api_base(self) -> str:
        """Return the base address of the API, without a slash at the end."""
        return self.api_url or f"https://{self.endpoint}"

    @property
    def ca_cert_pem(self) -> str:
        """Return the PEM text of the instance's CA, "" for public ones."""
        return self.ca_cert or ""

    @property
    def is_saas(self) -> bool:
        """Return whether the endpoint is the vendor's own service."""
        return self.endpoint == "spectrocloud.com" or self.endpoint.endswith(".spectrocloud.com")

    def named_secrets(self) -> dict[str, SecretRef]:
        """Return the secrets named here, by the YAML path below `palette`."""
        found: dict[str, SecretRef] = {}
        if self.registry_credentials:
            found["registryCredentials.password"] = self.registry_credentials.password
        for name, user in self.users.items():
            if user.password_hash:
                found[f"users.{name}.passwordHash"] = user.password_hash
        return found
