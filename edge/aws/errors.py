"""What went wrong between us and AWS, as one sentence with a remedy. The one place that knows botocore's errors.

AWS may echo what was signed (a canonical string holds the session token), a credential process may print secrets, and a
URL may hold a login. Nothing of that is ever shown: `said` is the only way from AWS's words into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any

from edge.errors import AwsError, EdgeError

_LONGEST = 300
_POLICY = "`python -m edge.aws.permissions` prints a policy with everything that is read"


class DeniedError(AwsError):
    """The caller has no right to do this. `actions` are the IAM actions that are missing."""

    def __init__(self, message: str, *, remedy: str, where: str, actions: tuple[str, ...]) -> None:
        super().__init__(message, remedy=remedy, where=where)
        self.actions = actions


class MissingError(AwsError):
    """What was asked for does not exist."""


@dataclass(frozen=True)
class Place:
    """Where a call goes: the IAM action, the Region, and what it is done on when AWS itself does not say that."""

    action: str
    region: str
    resource: str = ""

    def __str__(self) -> str:
        return f"AWS {self.action} in {self.region}"


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Turn every error of botocore into an AwsError; other errors pass."""
    try:
        yield
    except EdgeError:
        raise
    except Exception as error:
        told = of(error, place)
        if told is None:
            raise
        raise told from None  # the chain would show in a traceback what `said` takes out


def of(error: Exception, place: Place) -> AwsError | None:
    """Return an error of botocore as one sentence, None for an error that is not botocore's."""
    from botocore import exceptions  # type: ignore[import-untyped]  # 0.1 s: only where AWS is asked

    if isinstance(error, exceptions.ClientError):
        return _of_answer(error, place)
    for names, tell in _LOCAL:
        if isinstance(error, tuple(getattr(exceptions, name) for name in names)):
            message, remedy = tell(error, place)
            return AwsError(message, remedy=remedy, where=str(place))
    if isinstance(error, exceptions.BotoCoreError):
        text = f"could not be asked ({type(error).__name__}: {said(str(error))})."
        return AwsError(text, remedy="Correct what the words in brackets name.", where=str(place))
    return None


def all_denied(denials: Sequence[DeniedError], region: str) -> DeniedError:
    """Return several denials as one, so that all missing actions are told at once."""
    actions = tuple(sorted({action for one in denials for action in one.actions}))
    if len(actions) == 1:
        return denials[0]
    return DeniedError(
        f"{len(actions)} reads are not allowed: {', '.join(actions)}.",
        remedy=f"Allow these actions; {_POLICY}.",
        where=f"AWS in {region}",
        actions=actions,
    )


def said(text: str) -> str:
    """Return AWS's words in one short line, without anything that could be a secret."""
    text = re.split(r"\s*(?:Encoded authorization failure message|The Canonical String)", text)[0]
    text = re.sub(r"://[^/@\s]+@", "://***@", text)
    text = re.sub(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", "***", text)
    text = " ".join(map(_word, text.split())).rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _word(word: str) -> str:
    """Return a word without keys and tokens: secret keys have 40 characters, tokens and signatures more than 60.

    Names that long are ARNs and URLs only; of a URL the query goes, where a signature would stand.
    """
    if "://" in word:
        return word.partition("?")[0]
    if "arn:aws" in word:
        return word
    return re.sub(r"(?<![A-Za-z0-9/+])(?:[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])|[A-Za-z0-9/+=_-]{60,})", "***", word)


# What AWS answers: the codes of the services of READS and of STS, by their common errors in the API references.
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_SKEWED = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
_SIGNATURE = {"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature", "IncompleteSignature"}
_UNKNOWN_KEY = {
    *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
}
_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "EC2ThrottledException"),
}
_DISABLED = {"OptInRequired", "SubscriptionRequiredException", "RegionDisabledException"}


def _of_answer(error: Any, place: Place) -> AwsError:
    """Return an answer of AWS that is an error."""
    code = str(error.response.get("Error", {}).get("Code", "")) or "no code"
    text = str(error.response.get("Error", {}).get("Message", ""))
    where = str(place)
    if code in _DENIED:
        return _denied(text, place)
    if code in _EXPIRED:
        return AwsError(f"the session of the credentials has ended ({code}).", remedy=_LOGIN_AGAIN, where=where)
    late = code in _SIGNATURE and re.search(r"signature (?:expired|not yet current)", text, re.IGNORECASE)
    if code in _SKEWED or late:
        return _skewed(error, code, place)
    if code in _SIGNATURE:
        return AwsError(
            f"the secret key does not belong to the access key ({code}).",
            remedy="Correct the credentials; a secret key has 40 characters, and none may be lost in copying.",
            where=where,
        )
    if code in _UNKNOWN_KEY:
        return AwsError(
            f"the credentials are not known there ({code}).",
            remedy="Look whether the key was deleted, belongs to another partition (China, GovCloud), or the Region is"
            f" not enabled in the account; `aws sts get-caller-identity --region {place.region}` shows it.",
            where=where,
        )
    if code in _THROTTLED:
        return AwsError(
            f"refused too many requests, also after {_tries(error)} tries ({code}).",
            remedy="Run the same command again in a minute; other tools ask the same account.",
            where=where,
        )
    if code in _DISABLED:
        return AwsError(
            f"the Region or the service is not enabled in the account ({code}: {said(text)}).",
            remedy=f"Enable {place.region} in the account's settings, or correct the Region.",
            where=where,
        )
    return _other_answer(code, text, error, place)


def _other_answer(code: str, text: str, error: Any, place: Place) -> AwsError:
    if re.search(r"NotFound(Exception)?$|^NoSuchEntity|\.NotFound$", code):
        return MissingError(f"{said(text) or code}.", remedy="Correct the name, or the Region.", where=str(place))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if isinstance(status, int) and status >= 500:
        remedy = f"Run the same command again; AWS had a problem of its own, also after {_tries(error)} tries."
    else:
        remedy = "Correct what AWS names."
    return AwsError(f"answered {code}: {said(text)}.", remedy=remedy, where=str(place))


def _denied(text: str, place: Place) -> DeniedError:
    """Return a denial with the action and the resource that AWS names, else those that were asked for."""
    caller = re.search(r"User: (\S+)", text)
    asked = re.search(r"perform: ([a-z0-9-]+:[A-Za-z0-9]+)", text)
    on = re.search(r"on resource: (\S+)", text)
    action = asked[1] if asked else place.action
    resource = on[1].rstrip(".,") if on else place.resource or "*"
    deny = re.search(r"with an (explicit deny in an? [\w -]+)", text)
    who = caller[1] if caller else "the caller"
    if action == "sts:AssumeRole":
        remedy = (
            f"Allow sts:AssumeRole on {resource} to the caller, and name the caller in the role's trust policy; its external"
            " id, if it wants one, belongs into `aws:assumeRoles`."
        )
    elif deny:
        remedy = f"Take {action} out of the {deny[1].strip()}; a deny wins over every allow."
    else:
        remedy = f"Allow {action} on {resource}; {_POLICY}."
    because = f", by an {deny[1].strip()}" if deny else ""
    message = f"{who} may not do {action} on {resource}{because}."
    return DeniedError(message, remedy=remedy, where=str(place), actions=(place.action,))


def _skewed(error: Any, code: str, place: Place) -> AwsError:
    """Return the error of a wrong clock, with how wrong it is where AWS's answer tells the time."""
    off = ""
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        minutes = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds() / 60
    except (TypeError, ValueError):
        minutes = 0.0
    if abs(minutes) >= 1:
        off = f": it is {abs(minutes):.0f} minutes {'ahead of' if minutes > 0 else 'behind'} AWS"
    return AwsError(
        f"the clock of this machine is wrong{off} ({code}).",
        remedy="Set the clock by NTP (`timedatectl set-ntp true`); AWS refuses a time that is more than 5 minutes off."
        " With temporary credentials: log in again.",
        where=str(place),
    )


def _tries(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) + 1


# What botocore finds out itself, before or without an answer.
_LOGIN_AGAIN = "Log in again (`aws sso login`, or new keys in the environment), then run the same command."
_CREDENTIALS = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment, or write `aws:profile` into"
    " the stack file; keys that are encrypted there are known to the engine only."
)


def _no_credentials(_: Any, __: Place) -> tuple[str, str]:
    return "there are no AWS credentials.", _CREDENTIALS


def _half_credentials(error: Any, _: Place) -> tuple[str, str]:
    provider, missing = error.kwargs.get("provider"), error.kwargs.get("cred_var")
    return f"half of the AWS credentials is missing: {provider} has no {missing}.", f"Add {missing}."


def _no_profile(error: Any, _: Place) -> tuple[str, str]:
    return (
        f"there is no profile {error.kwargs.get('profile')} in the shared files.",
        "Correct `aws:profile` or AWS_PROFILE; `aws configure list-profiles` shows the profiles.",
    )


def _session_over(error: Any, _: Place) -> tuple[str, str]:
    return f"the login of the profile has ended ({type(error).__name__}).", _LOGIN_AGAIN


def _no_answer_of_provider(error: Any, _: Place) -> tuple[str, str]:
    # What a credential process printed is not repeated: it may be the credentials.
    provider = error.kwargs.get("provider") or type(error).__name__
    return (
        f"the credentials could not be had from {provider}.",
        "Run `aws sts get-caller-identity` with the same profile: it shows what is wrong with it.",
    )


def _bad_file(error: Any, _: Place) -> tuple[str, str]:
    if path := error.kwargs.get("path"):
        return f"the shared file {path} cannot be read.", "Correct that file; `aws configure list` reads it, too."
    return f"the shared files cannot be used: {said(str(error))}.", "Correct the profile in these files."


def _unreachable(error: Any, place: Place) -> tuple[str, str]:
    """Return why no connection came about; a Region that nobody knows is named instead of its made-up host name."""
    from edge.endpoints.names import botocore_regions

    url = said(str(error.kwargs.get("endpoint_url") or "the service"))
    if place.region in url and place.region not in botocore_regions():
        near = get_close_matches(place.region, sorted(botocore_regions()), n=1)
        meant = f", for example {near[0]}" if near else ""
        return (
            f"{place.region} is no Region that is known, and {url} {_why(error)}.",
            f"Write a Region that exists{meant}.",
        )
    return f"{url} {_why(error)}.", _WAY


_WAY = (
    "Look at the DNS, the firewall and HTTPS_PROXY of this machine: it needs TCP 443 to that name, or a VPC endpoint"
    " whose URL stands in `aws:endpoints`."
)


def _why(error: Any) -> str:
    cause = f"{type(error.kwargs.get('error')).__name__} {error.kwargs.get('error')}"
    if "NameResolution" in cause or "gaierror" in cause:
        return "is not known to the DNS"
    if "refused" in cause.lower():
        return "refused the connection"
    if "Timeout" in type(error).__name__:
        return "did not answer in time"
    return "closed the connection" if type(error).__name__ == "ConnectionClosedError" else "cannot be reached"


def _no_proxy(error: Any, _: Place) -> tuple[str, str]:
    url = said(str(error.kwargs.get("proxy_url") or "of the environment"))
    return (
        f"the proxy {url} does not pass the connection on.",
        "Correct HTTPS_PROXY, let the proxy pass the host names of AWS, or name them in NO_PROXY.",
    )


def _untrusted(error: Any, _: Place) -> tuple[str, str]:
    url = said(str(error.kwargs.get("endpoint_url")))
    return (
        f"the certificate of {url} is not trusted ({said(str(error.kwargs.get('error')))}).",
        "Name the file with the authority that signed it as `aws:customCaBundle` or AWS_CA_BUNDLE; a proxy that opens TLS"
        " has one of its own.",
    )


def _no_endpoint(error: Any, place: Place) -> tuple[str, str]:
    return (
        f"there is no such service endpoint ({said(str(error))}).",
        f"Correct the Region {place.region}, `aws:useFipsEndpoint` or `aws:endpoints`.",
    )


def _bad_question(error: Any, _: Place) -> tuple[str, str]:
    return f"was asked with a value that cannot be: {said(str(error))}.", "Correct the name that stands there."


_LOCAL: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("NoCredentialsError", "NoAuthTokenError"), _no_credentials),
    (("PartialCredentialsError",), _half_credentials),
    (("ProfileNotFound",), _no_profile),
    (("SSOError", "LoginError", "TokenRetrievalError", "RefreshWithMFAUnsupportedError"), _session_over),
    (("CredentialRetrievalError", "MetadataRetrievalError", "UnknownCredentialError"), _no_answer_of_provider),
    (("ConfigParseError", "ConfigNotFound", "InvalidConfigError"), _bad_file),
    (("ProxyConnectionError", "InvalidProxiesConfigError"), _no_proxy),
    (("SSLError",), _untrusted),
    (("ConnectionError", "ConnectionClosedError", "ReadTimeoutError", "HTTPClientError"), _unreachable),
    (("InvalidRegionError", "BaseEndpointResolverError", "EndpointProviderError", "UnknownRegionError"), _no_endpoint),
    (("ParamValidationError",), _bad_question),
)
