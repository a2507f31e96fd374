"""Why no answer came: name service, certificate, proxy, time, connection: told apart, because the remedies differ."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from edge.palette.errors import Question, RefusedError, TimedOutError, UnavailableError


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was made from; httpx wraps the socket's own error two or three times."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def proxy_in_use(scheme: str = "https") -> str:
    """Return host and port of the proxy that the environment names, without its credentials; empty if there is none."""
    found = urllib.request.getproxies().get(scheme, "")
    parts = urlsplit(found if "//" in found else f"//{found}")
    if not parts.hostname:
        return ""
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname


def timed_out(question: Question, seconds: float) -> TimedOutError:
    """Return the error for a server that did not answer in time."""
    proxy = proxy_in_use()
    by = f" through the proxy {proxy}" if proxy else ""
    return TimedOutError(
        f"did not answer within {seconds:.1f} s{by} when asked to {question.action}.",
        remedy="test tcp 443 to it from here (a firewall that drops packets looks like this), then repeat.",
        where=question.where,
    )


def out_of_time(question: Question) -> TimedOutError:
    """Return the error for a request that was not even sent, because earlier ones used up the time."""
    return TimedOutError(
        f"could not be asked to {question.action}: the time for it is used up.",
        remedy="ask again in a few seconds.",
        where=question.where,
    )


def no_answer(question: Question, error: Exception, seconds: float) -> RefusedError:
    """Return the error for a failed exchange. The exception itself is not kept: it refers to the request."""
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return timed_out(question, seconds)
    if isinstance(error, httpx.ProxyError):
        return _proxy_trouble(question, error)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return _tls_trouble(question, cause)
        if isinstance(cause, socket.gaierror):
            return _name_trouble(question, cause)
    return UnavailableError(
        f"could not be asked to {question.action}: the connection failed ({type(error).__name__}).",
        remedy="test tcp 443 to it from here, then repeat.",
        where=question.where,
    )


def _proxy_trouble(question: Question, error: httpx.ProxyError) -> RefusedError:
    proxy = proxy_in_use() or "of the environment"
    refused = any(word in str(error) for word in ("407", "403", "401"))
    kind = RefusedError if refused else UnavailableError
    return kind(
        f"cannot be reached: the proxy {proxy} " + ("refused the connection." if refused else "failed."),
        remedy="correct HTTPS_PROXY (user and password included), or name the server in NO_PROXY.",
        where=question.where,
    )


def _tls_trouble(question: Question, cause: ssl.SSLError) -> RefusedError:
    untrusted = isinstance(cause, ssl.SSLCertVerificationError)
    why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "")
    problem = "shows a certificate that is not trusted" if untrusted else "fails the TLS handshake"
    return RefusedError(
        f"{problem} ({why or 'no reason given'}).",
        remedy="put the CA that signed it into palette.caCert; a proxy that opens TLS has a CA of its own.",
        where=question.where,
    )


def _name_trouble(question: Question, cause: socket.gaierror) -> RefusedError:
    temporary = cause.errno == socket.EAI_AGAIN
    kind = UnavailableError if temporary else RefusedError
    return kind(
        "cannot be found: the name service " + ("does not answer." if temporary else "knows no such name."),
        remedy="correct palette.endpoint or palette.apiUrl, or the resolver of this machine.",
        where=question.where,
    )
