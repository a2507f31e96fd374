"""Everything that goes wrong with AWS is one sentence: place, what happened, remedy. Never a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from edge.aws.errors import DeniedError, MissingError, Place, all_denied, of, said, translated
from edge.errors import AwsError, LabError

CLUSTER = "arn:aws:eks:eu-central-1:123456789012:cluster/plants-prod"
PLACE = Place("eks:DescribeCluster", "eu-central-1")
AT = "AWS eks:DescribeCluster in eu-central-1: "
POLICY = "`python -m edge.aws.permissions` prints a policy with everything that is read."
URL = "https://eks.eu-central-1.amazonaws.com/clusters/plants-prod"
WAY = (
    " Remedy: Look at the DNS, the firewall and HTTPS_PROXY of this machine: it needs TCP 443 to that name, or a VPC endpoint"
    " whose URL stands in `aws:endpoints`."
)
AGAIN = " Remedy: Log in again (`aws sso login`, or new keys in the environment), then run the same command."


def answer(code: str, message: str = "", status: int = 400, **metadata: Any) -> ClientError:
    """Return an answer of AWS as botocore raises it."""
    meta = {"HTTPStatusCode": status, **metadata}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": meta}, "DescribeCluster")  # type: ignore[typeddict-item]


def sentence(error: Exception, place: Place = PLACE) -> str:
    """Return what a person reads."""
    told = of(error, place)
    assert told is not None
    assert told.exit_code == 11
    return str(told)


DENIALS = {
    "EKS names caller, action, resource": (
        "AccessDeniedException",
        f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: eks:DescribeCluster on resource: {CLUSTER}"
        " because no identity-based policy allows the eks:DescribeCluster action",
        f"arn:aws:iam::123456789012:user/ci may not do eks:DescribeCluster on {CLUSTER}. Remedy: Allow eks:DescribeCluster"
        f" on {CLUSTER}; {POLICY}",
    ),
    "EC2 says it with a long code": (
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/ro/me is not"
        " authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action."
        " Encoded authorization failure message: " + "Zz9" * 300,
        "arn:aws:sts::123456789012:assumed-role/ro/me may not do ec2:DescribeVpcs on *. Remedy: Allow ec2:DescribeVpcs on *;"
        f" {POLICY}",
    ),
    "a deny of the organization": (
        "AccessDeniedException",
        f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: eks:DescribeCluster on resource: {CLUSTER}"
        " with an explicit deny in a service control policy",
        f"arn:aws:iam::123456789012:user/ci may not do eks:DescribeCluster on {CLUSTER}, by an explicit deny in a service"
        " control policy. Remedy: Take eks:DescribeCluster out of the explicit deny in a service control policy; a deny"
        " wins over every allow.",
    ),
    "nothing is named": (
        "AccessDenied",
        "Access Denied",
        f"the caller may not do eks:DescribeCluster on *. Remedy: Allow eks:DescribeCluster on *; {POLICY}",
    ),
}


@pytest.mark.row("C2")
@pytest.mark.parametrize(("code", "message", "want"), DENIALS.values(), ids=list(DENIALS))
def test_a_missing_right_names_the_action_to_allow(code: str, message: str, want: str) -> None:
    told = of(answer(code, message, 403), PLACE)
    assert isinstance(told, DeniedError)
    assert str(told) == AT + want
    assert told.actions == ("eks:DescribeCluster",)


def test_a_role_that_may_not_be_taken_on() -> None:
    role = "arn:aws:iam::210987654321:role/network-reader"
    text = f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on resource: {role}"
    assert sentence(answer("AccessDenied", text, 403), Place("sts:AssumeRole", "eu-central-1", role)) == (
        f"AWS sts:AssumeRole in eu-central-1: arn:aws:iam::123456789012:user/ci may not do sts:AssumeRole on {role}. Remedy:"
        f" Allow sts:AssumeRole on {role} to the caller, and name the caller in the role's trust policy; its external id, if"
        " it wants one, belongs into `aws:assumeRoles`."
    )


ANSWERS = {
    "session over": (
        answer("ExpiredTokenException", "The security token included in the request is expired"),
        f"the session of the credentials has ended (ExpiredTokenException).{AGAIN}",
    ),
    "wrong secret key": (
        answer("SignatureDoesNotMatch", "The request signature we calculated does not match", 403),
        "the secret key does not belong to the access key (SignatureDoesNotMatch). Remedy: Correct the credentials; a secret"
        " key has 40 characters, and none may be lost in copying.",
    ),
    "unknown key": (
        answer("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
        "the credentials are not known there (UnrecognizedClientException). Remedy: Look whether the key was deleted, belongs"
        " to another partition (China, GovCloud), or the Region is not enabled in the account; `aws sts get-caller-identity"
        " --region eu-central-1` shows it.",
    ),
    "throttled": (
        answer("RequestLimitExceeded", "Request limit exceeded.", 503, RetryAttempts=3),
        "refused too many requests, also after 4 tries (RequestLimitExceeded). Remedy: Run the same command again in a"
        " minute; other tools ask the same account.",
    ),
    "Region not enabled": (
        answer("OptInRequired", "You are not subscribed to this service.", 403),
        "the Region or the service is not enabled in the account (OptInRequired: You are not subscribed to this service)."
        " Remedy: Enable eu-central-1 in the account's settings, or correct the Region.",
    ),
    "not there": (
        answer("ResourceNotFoundException", "No cluster found for name: x.", 404),
        "No cluster found for name: x. Remedy: Correct the name, or the Region.",
    ),
    "a fault of AWS": (
        answer("InternalFailure", "Something broke", 500, RetryAttempts=3),
        "answered InternalFailure: Something broke. Remedy: Run the same command again; AWS had a problem of its own, also"
        " after 4 tries.",
    ),
    "anything else": (
        answer("InvalidParameterException", "The name is too long", 400),
        "answered InvalidParameterException: The name is too long. Remedy: Correct what AWS names.",
    ),
}


@pytest.mark.parametrize(("error", "want"), ANSWERS.values(), ids=list(ANSWERS))
def test_what_aws_answers(error: ClientError, want: str) -> None:
    assert sentence(error) == AT + want


def test_what_does_not_exist_has_a_class_of_its_own() -> None:
    for code in ("ResourceNotFoundException", "NoSuchEntity", "InvalidVpcID.NotFound"):
        assert type(of(answer(code), PLACE)) is MissingError


def ago(**past: float) -> dict[str, Any]:
    """Return the header of an answer that AWS dates so long ago."""
    return {"HTTPHeaders": {"date": format_datetime(datetime.now(UTC) - timedelta(**past), usegmt=True)}}


FIX = (
    " Remedy: Set the clock by NTP (`timedatectl set-ntp true`); AWS refuses a time that is more than 5 minutes off. With"
    " temporary credentials: log in again."
)
# Built when they are judged: what is minutes ago now was fewer when this file was read.
CLOCKS: dict[str, tuple[Callable[[], ClientError], str]] = {
    "ahead": (
        lambda: answer("RequestExpired", "Request has expired.", **ago(minutes=17)),
        "the clock of this machine is wrong: it is 17 minutes ahead of AWS (RequestExpired).",
    ),
    "behind": (
        lambda: answer(
            "InvalidSignatureException", "Signature not yet current: 2026 is later than 2025", 403, **ago(hours=-1)
        ),
        "the clock of this machine is wrong: it is 60 minutes behind AWS (InvalidSignatureException).",
    ),
    "without a date": (
        lambda: answer(
            "SignatureDoesNotMatch", "Signature expired: 20261128T120000Z is now earlier than 20261128T121500Z"
        ),
        "the clock of this machine is wrong (SignatureDoesNotMatch).",
    ),
}


@pytest.mark.parametrize(("error", "want"), CLOCKS.values(), ids=list(CLOCKS))
def test_a_wrong_clock_is_not_taken_for_a_wrong_key(error: Callable[[], ClientError], want: str) -> None:
    assert sentence(error()) == AT + want + FIX


class NameResolutionError(Exception):
    """Stands for the error of the HTTP library, which botocore carries along."""


SILENT = boto.ConnectTimeoutError(endpoint_url=URL, error=TimeoutError())
LOCAL = {
    "no credentials": (
        boto.NoCredentialsError(),
        "there are no AWS credentials. Remedy: Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the"
        " environment, or write `aws:profile` into the stack file; keys that are encrypted there are known to the engine"
        " only.",
    ),
    "half of them": (
        boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "half of the AWS credentials is missing: env has no AWS_SECRET_ACCESS_KEY. Remedy: Add AWS_SECRET_ACCESS_KEY.",
    ),
    "unknown profile": (
        boto.ProfileNotFound(profile="plants"),
        "there is no profile plants in the shared files. Remedy: Correct `aws:profile` or AWS_PROFILE; `aws configure"
        " list-profiles` shows the profiles.",
    ),
    "single sign-on over": (
        boto.UnauthorizedSSOTokenError(),
        f"the login of the profile has ended (UnauthorizedSSOTokenError).{AGAIN}",
    ),
    "credential process": (
        boto.CredentialRetrievalError(provider="custom-process", error_msg="secret=canary"),
        "the credentials could not be had from custom-process. Remedy: Run `aws sts get-caller-identity` with the same"
        " profile: it shows what is wrong with it.",
    ),
    "broken file": (
        boto.ConfigParseError(path="/home/me/.aws/config"),
        "the shared file /home/me/.aws/config cannot be read. Remedy: Correct that file; `aws configure list` reads it, too.",
    ),
    "broken profile": (
        boto.InvalidConfigError(error_msg="The source profile hub must have credentials"),
        "the shared files cannot be used: The source profile hub must have credentials. Remedy: Correct the profile in these"
        " files.",
    ),
    "unknown name": (
        boto.EndpointConnectionError(endpoint_url=URL, error=NameResolutionError("eks")),
        f"{URL} is not known to the DNS.{WAY}",
    ),
    "refused": (
        boto.EndpointConnectionError(endpoint_url=URL, error=OSError("[Errno 111] Connection refused")),
        f"{URL} refused the connection.{WAY}",
    ),
    "silent": (SILENT, f"{URL} did not answer in time.{WAY}"),
    "cut off": (
        boto.ConnectionClosedError(endpoint_url=URL, error=OSError()),
        f"{URL} closed the connection.{WAY}",
    ),
    "proxy": (
        boto.ProxyConnectionError(proxy_url="http://me:canary@proxy.plant:3128", error=OSError()),
        "the proxy http://***@proxy.plant:3128 does not pass the connection on. Remedy: Correct HTTPS_PROXY, let the proxy"
        " pass the host names of AWS, or name them in NO_PROXY.",
    ),
    "certificate": (
        boto.SSLError(endpoint_url=URL, error="certificate verify failed: self-signed certificate"),
        f"the certificate of {URL} is not trusted (certificate verify failed: self-signed certificate). Remedy: Name the file"
        " with the authority that signed it as `aws:customCaBundle` or AWS_CA_BUNDLE; a proxy that opens TLS has one of its"
        " own.",
    ),
    "no such endpoint": (
        boto.EndpointResolutionError(msg="FIPS is enabled but this partition does not support FIPS"),
        "there is no such service endpoint (FIPS is enabled but this partition does not support FIPS). Remedy: Correct the"
        " Region eu-central-1, `aws:useFipsEndpoint` or `aws:endpoints`.",
    ),
    "bad value": (
        boto.ParamValidationError(report="Invalid length for parameter name, value: 0, valid min length: 1"),
        "was asked with a value that cannot be: Parameter validation failed: Invalid length for parameter name, value: 0,"
        " valid min length: 1. Remedy: Correct the name that stands there.",
    ),
    "anything else of botocore": (
        boto.PaginationError(message="The same next token was received twice"),
        "could not be asked (PaginationError: Error during pagination: The same next token was received twice). Remedy:"
        " Correct what the words in brackets name.",
    ),
}


@pytest.mark.parametrize(("error", "want"), LOCAL.values(), ids=list(LOCAL))
def test_what_botocore_finds_out_itself(error: Exception, want: str) -> None:
    assert sentence(error) == AT + want


def test_an_unknown_region_is_named_instead_of_its_made_up_host() -> None:
    error = boto.EndpointConnectionError(
        endpoint_url="https://eks.eu-centrl-1.amazonaws.com/clusters", error=NameResolutionError("eks")
    )
    assert sentence(error, Place("eks:DescribeCluster", "eu-centrl-1")) == (
        "AWS eks:DescribeCluster in eu-centrl-1: eu-centrl-1 is no Region that is known, and"
        " https://eks.eu-centrl-1.amazonaws.com/clusters is not known to the DNS. Remedy: Write a Region that exists, for"
        " example eu-central-1."
    )


def test_several_missing_rights_are_one_error() -> None:
    denials = [of(answer("AccessDenied"), Place(action, "eu-central-1")) for action in ("ec2:B", "ec2:A")]
    told = all_denied([one for one in denials if isinstance(one, DeniedError)], "eu-central-1")
    assert str(told) == (
        "AWS in eu-central-1: 2 reads are not allowed: ec2:A, ec2:B. Remedy: Allow these actions; `python -m"
        " edge.aws.permissions` prints a policy with everything that is read."
    )


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated(PLACE):
        raise ZeroDivisionError
    with pytest.raises(LabError), translated(PLACE):
        raise LabError("ours")
    with pytest.raises(AwsError) as caught, translated(PLACE):
        raise boto.NoCredentialsError
    assert caught.value.__suppress_context__


ALPHABET = st.characters(codec="ascii", categories=("Lu", "Ll", "Nd"))
SECRETS = st.one_of(
    st.text(ALPHABET, min_size=40, max_size=40),
    st.text(ALPHABET, min_size=60, max_size=400),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16).map(lambda text: f"ASIA{text}"),
)


@given(
    secret=SECRETS,
    frame=st.sampled_from(["token {} is bad", "key={}", "'{}'", "{}", "https://me:{}@proxy:1/", "a: {}."]),
)
def test_no_secret_gets_through(secret: str, frame: str) -> None:
    assert secret not in said(frame.format(secret))


def test_a_canonical_string_is_not_repeated() -> None:
    text = "The request signature does not match.\n\nThe Canonical String for this request should have been\n'x-amz-security-token:canary'"
    for code in ("SignatureDoesNotMatch", "ValidationError"):
        assert "canary" not in sentence(answer(code, text))


@given(
    st.sampled_from([CLUSTER, URL, "arn:aws:iam::123456789012:role/teams/network/hybrid-nodes-of-all-plants-in-europe"])
)
def test_names_stay(name: str) -> None:
    assert said(f"{name} is not there") == f"{name} is not there"
