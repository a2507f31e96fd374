"""How AWS is asked: profiles, files, roles one after the other, endpoints; clients once, errors in one sentence."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edge.aws.access import AssumedRole, AwsAccess, access_of
from edge.aws.session import LIMITS, AwsClients, BotocoreClients, Limits, ask, pages
from edge.errors import AwsError
from tests.unit.aws_server import Aws, serving
from tests.unit.vcenter_server import signed

REGION = "eu-central-1"
QUICK = Limits(connect=1.0, answer=0.4, attempts=1)
HUB = "arn:aws:iam::111111111111:role/hub"
READER = "arn:aws:iam::222222222222:role/teams/reader"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the machine's own AWS settings away."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def access(aws: Aws | None = None, **over: Any) -> AwsAccess:
    """Return keys of the stack for a server."""
    keys: dict[str, Any] = {"region": REGION, "access_key": "AKIASTACK", "secret_key": "canary-secret"}
    if aws is not None:
        keys["endpoints"] = (("eks", aws.url), ("sts", aws.url))
    return AwsAccess(**{**keys, **over})


def clusters(clients: AwsClients) -> list[str]:
    """Ask for the clusters: the smallest question."""
    return pages(clients, "eks:ListClusters", "clusters")


def refusal(where: AwsAccess, limits: Limits = QUICK) -> str:
    """Return why AWS cannot be asked."""
    with pytest.raises(AwsError) as caught:
        clusters(BotocoreClients(where, limits))
    assert "canary" not in str(caught.value)
    return str(caught.value)


def key_of(where: AwsAccess) -> str:
    """Return the key that signs, without asking anybody."""
    signer: Any = BotocoreClients(where).client("eks")
    return str(signer._request_signer._credentials.access_key)


def test_the_keys_of_the_stack_ask_at_the_endpoint_of_the_stack() -> None:
    with serving(Aws()) as aws:
        clients = BotocoreClients(access(aws, token="token"))
        assert clusters(clients) == ["plants-prod"]
        assert ask(clients, "eks:ListClusters", maxResults=5)["clusters"] == ["plants-prod"]
    assert aws.seen == [
        ("AKIASTACK", "token", {"path": "/clusters"}),
        ("AKIASTACK", "token", {"path": "/clusters?maxResults=5"}),
    ]


def test_a_client_is_made_once_also_for_many_threads_and_only_when_it_is_wanted() -> None:
    clients = BotocoreClients(access(), LIMITS)
    assert clients.region == REGION
    assert not clients._made
    gate = threading.Barrier(8)

    def take(_: int) -> int:
        gate.wait(5)
        return id(clients.client("eks"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(take, range(8)))) == 1
    assert list(clients._made) == ["eks"]
    config = clients.client("eks").meta.config
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (5.0, 30.0, 16)
    assert config.retries == {"mode": "standard", "total_max_attempts": 4}


@pytest.mark.row("C2")
def test_roles_are_taken_on_in_their_order_each_with_the_one_before() -> None:
    with serving(Aws()) as aws:
        roles = (AssumedRole(HUB), AssumedRole(READER, session_name="preflight", external_id="plant-12", duration=1800))
        clients = BotocoreClients(access(aws, roles=roles))
        assert clusters(clients) == clusters(clients) == ["plants-prod"]
    called = [(key, token, values.get("RoleArn")) for key, token, values in aws.seen]
    assert called == [
        ("AKIASTACK", "", HUB),
        ("ASIAHUB", "token-of-ASIAHUB", READER),
        ("ASIAREADER", "token-of-ASIAREADER", None),
        ("ASIAREADER", "token-of-ASIAREADER", None),
    ]
    first, second = aws.seen[0][2], aws.seen[1][2]
    assert first["RoleSessionName"] == "edge-hosts"
    assert not {"ExternalId", "DurationSeconds"} & set(first)
    assert (second["RoleSessionName"], second["ExternalId"], second["DurationSeconds"]) == (
        "preflight",
        "plant-12",
        "1800",
    )


def test_a_short_session_is_not_renewed_at_every_call() -> None:
    with serving(Aws(lives=880)) as aws:
        clients = BotocoreClients(access(aws, roles=(AssumedRole(HUB, duration=900),)))
        for _ in range(3):
            clusters(clients)
    assert sum("RoleArn" in values for _, _, values in aws.seen) == 1


def test_the_role_that_may_not_be_taken_on_is_named() -> None:
    with serving(Aws(refuses=READER)) as aws:
        roles = (AssumedRole(HUB), AssumedRole(READER))
        clients = BotocoreClients(access(aws, roles=roles), QUICK)
        for _ in range(2):  # a second try says the same, and asks nobody
            with pytest.raises(AwsError) as caught:
                clusters(clients)
            assert str(caught.value) == (
                f"AWS sts:AssumeRole in eu-central-1: arn:aws:iam::1:user/ci may not do sts:AssumeRole on {READER}. Remedy:"
                f" Allow sts:AssumeRole on {READER} to the caller, and name the caller in the role's trust policy; its"
                " external id, if it wants one, belongs into `aws:assumeRoles`."
            )
    assert len(aws.seen) == 2


FIRST = "[profile plants]\nregion = us-east-1\n[profile hub]\nrole_arn = arn:x\nsource_profile = plants\n"


def written(folder: Path, name: str, text: str) -> str:
    """Write a shared file and return its path."""
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def keys(profile: str, key: str) -> str:
    """Return a section of a credentials file."""
    return f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = secret\n"


def test_profile_and_shared_files_of_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = written(tmp_path, "config", FIRST)
    logins = written(tmp_path, "logins", keys("plants", "AKIAPLANTS") + keys("default", "AKIADEFAULT"))
    files: dict[str, Any] = {"config_files": (config,), "credentials_files": (logins,)}
    assert key_of(AwsAccess(REGION, profile="plants", **files)) == "AKIAPLANTS"
    assert key_of(AwsAccess(REGION, **files)) == "AKIADEFAULT"
    monkeypatch.setenv("AWS_PROFILE", "plants")
    assert key_of(AwsAccess(REGION, **files)) == "AKIAPLANTS"
    # The stack wins over the environment, as it does for the provider.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert key_of(AwsAccess(REGION, profile="plants", **files)) == "AKIAPLANTS"
    monkeypatch.delenv("AWS_PROFILE")
    assert key_of(access()) == "AKIASTACK"
    assert key_of(AwsAccess(REGION)) == "AKIAENV"


def test_of_several_shared_files_the_later_one_wins(tmp_path: Path) -> None:
    configs = (
        written(tmp_path, "c1", "[profile a]\naws_access_key_id = AKIAA1\naws_secret_access_key = s\n[profile b]\n"),
        written(tmp_path, "c2", "[profile c]\naws_access_key_id = AKIAC\naws_secret_access_key = s\n"),
    )
    logins = (
        written(tmp_path, "l1", keys("d", "AKIAD1") + keys("e", "AKIAE")),
        written(tmp_path, "l2", keys("d", "AKIAD2")),
    )
    files: dict[str, Any] = {"config_files": configs, "credentials_files": logins}
    found = {name: key_of(AwsAccess(REGION, profile=name, **files)) for name in "acde"}
    assert found == {"a": "AKIAA1", "c": "AKIAC", "d": "AKIAD2", "e": "AKIAE"}
    backwards: dict[str, Any] = {"config_files": configs[::-1], "credentials_files": logins[::-1]}
    assert key_of(AwsAccess(REGION, profile="d", **backwards)) == "AKIAD1"
    assert "there is no profile z" in refusal(AwsAccess(REGION, profile="z", **files))


def test_a_role_of_a_profile_in_one_file_whose_keys_are_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = (
        written(tmp_path, "c1", f"[profile hub]\nrole_arn = {HUB}\nsource_profile = plants\n"),
        written(tmp_path, "c2", "[profile other]\n"),
    )
    logins = written(tmp_path, "logins", keys("plants", "AKIAPLANTS"))
    with serving(Aws()) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
        where = access(aws, access_key="", profile="hub", config_files=configs, credentials_files=(logins,))
        assert clusters(BotocoreClients(where)) == ["plants-prod"]
    assert [key for key, _, _ in aws.seen] == ["AKIAPLANTS", "ASIAHUB"]


def test_credentials_that_cannot_be_had(tmp_path: Path) -> None:
    at = "AWS credentials in eu-central-1: "
    assert refusal(AwsAccess(REGION)).startswith(f"{at}there are no AWS credentials. Remedy: Set AWS_PROFILE, or")
    assert refusal(AwsAccess(REGION, profile="plants")).startswith(
        f"{at}there is no profile plants in the shared files."
    )
    assert refusal(AwsAccess(REGION, config_files=("/nowhere/config",))) == (
        f"{at}`aws:sharedConfigFiles` names /nowhere/config, which does not exist. Remedy: Correct `aws:sharedConfigFiles`"
        " in the stack file."
    )
    assert "`aws:sharedCredentialsFiles` names /nowhere/c," in refusal(
        AwsAccess(REGION, credentials_files=("/nowhere/c",))
    )
    assert "`aws:customCaBundle` names /nowhere/ca," in refusal(access(ca_bundle="/nowhere/ca"))
    half = written(tmp_path, "half", "[default]\naws_access_key_id = AKIAHALF\n")
    assert "has no aws_secret_access_key. Remedy: Add" in refusal(AwsAccess(REGION, credentials_files=(half,)))
    torn = written(tmp_path, "torn", "not an ini file")
    assert f"the shared file {torn} cannot be read. Remedy:" in refusal(AwsAccess(REGION, config_files=(torn,)))
    process = written(tmp_path, "process", '[default]\ncredential_process = sh -c "echo canary-token >&2; exit 1"\n')
    assert f"{at}the credentials could not be had from custom-process." in refusal(
        AwsAccess(REGION, config_files=(process,))
    )


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_endpoint_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    text = refusal(access(endpoints=(("eks", url),)))
    assert text.startswith(
        f"AWS eks:ListClusters in eu-central-1: {url}/clusters refused the connection. Remedy: Look at"
    )
    with serving(Aws(silent=1.0)) as aws:
        assert f"{aws.url}/clusters did not answer in time. Remedy:" in refusal(access(aws))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:canary@127.0.0.1:{closed_port()}")
    text = refusal(access())
    assert "the proxy http://***@127.0.0.1:" in text
    assert text.endswith("Correct HTTPS_PROXY, let the proxy pass the host names of AWS, or name them in NO_PROXY.")
    monkeypatch.delenv("HTTPS_PROXY")
    assert refusal(access(endpoints=(("eks", "localhost"),))) == (
        "AWS eks in eu-central-1: `aws:endpoints` has no URL for eks, but localhost. Remedy: Write it as https://HOST or"
        " https://HOST:PORT."
    )


def test_a_certificate_that_is_not_trusted_and_then_is(tmp_path: Path) -> None:
    own = signed("127.0.0.1")
    with serving(Aws(), tmp_path, own) as aws:
        text = refusal(access(aws), Limits(connect=2, answer=2, attempts=1))
        assert f"the certificate of {aws.url}/clusters is not trusted" in text
        assert "`aws:customCaBundle` or AWS_CA_BUNDLE" in text
        bundle = written(tmp_path, "ca.pem", own.certificate)
        assert clusters(BotocoreClients(access(aws, ca_bundle=bundle))) == ["plants-prod"]


def test_what_the_server_says_is_told_after_the_retries() -> None:
    with serving(Aws(status=429, code="TooManyRequestsException")) as aws:
        text = refusal(access(aws), Limits(connect=1, answer=1, attempts=2))
        assert text == (
            "AWS eks:ListClusters in eu-central-1: refused too many requests, also after 2 tries (TooManyRequestsException)."
            " Remedy: Run the same command again in a minute; other tools ask the same account."
        )
    assert len(aws.seen) == 2
    with serving(Aws(status=403, code="ExpiredTokenException", message="The security token is expired")) as aws:
        assert "the session of the credentials has ended (ExpiredTokenException)." in refusal(access(aws))


def test_fips_and_urls_that_stand_in() -> None:
    us = BotocoreClients(access(region="us-east-1", fips=True))
    assert us.client("eks").meta.endpoint_url == "https://fips.eks.us-east-1.amazonaws.com"
    own = BotocoreClients(access(region="us-east-1", fips=True, endpoints=(("eks", "https://eks.example"),)))
    assert own.client("eks").meta.endpoint_url == "https://eks.example"
    assert own.client("ssm").meta.endpoint_url == "https://ssm-fips.us-east-1.amazonaws.com"
    assert (
        BotocoreClients(access(region="cn-north-1")).client("iam").meta.endpoint_url
        == "https://iam.cn-north-1.amazonaws.com.cn"
    )
    refused = BotocoreClients(access(region="eu central"))
    with pytest.raises(AwsError, match="there is no such service endpoint"):
        refused.client("eks")


def test_the_keys_of_a_stack_file_lead_there() -> None:
    with serving(Aws()) as aws:
        stack = {
            "accessKey": "AKIAFILE",
            "secretKey": "secret",
            "endpoints": [{"eks": aws.url, "sts": aws.url}],
            "assumeRoles": [{"roleArn": HUB, "duration": "1h30m", "externalId": "plant-12"}],
        }
        assert clusters(BotocoreClients(access_of(stack, REGION))) == ["plants-prod"]
    assert aws.seen[0][0] == "AKIAFILE"
    assert (aws.seen[0][2]["DurationSeconds"], aws.seen[0][2]["ExternalId"]) == ("5400", "plant-12")


def test_botocore_is_imported_only_where_aws_is_asked() -> None:
    code = "import sys, edge.aws.lookup, edge.aws.permissions; sys.exit('botocore' in sys.modules or 'boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
