"""One exchange with Palette: the key in its header, bounded in time, paced, repeated while that makes sense.

The API key is put into the request by an `httpx.Auth` at the last moment and taken out right after, and no exception of
httpx survives this module: they refer to the request, and a traceback or a log handler could print its headers.
"""

from __future__ import annotations

import atexit
import hashlib
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from edge.errors import PaletteError
from edge.palette.errors import Question, RefusedError, TimedOutError, UnavailableError, not_json, refusal
from edge.palette.masked import Masked
from edge.palette.pace import Pace, pace_of
from edge.palette.trouble import no_answer, out_of_time, timed_out

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_SHORTEST_TRY = 0.05
# One of our own: threads that wait in the background must not disturb whoever seeded the module's.
_SPREAD = random.Random()  # noqa: S311 - spreads requests, no secret


@dataclass(frozen=True)
class Answer:
    """Status, decoded body and `Date` of an answer. The body may hold tokens, so it is not shown."""

    status: int
    date: datetime | None
    body: object = field(default=None, repr=False)


@dataclass(frozen=True)
class Ask:
    """A request. `repeatable`: sending it twice does no harm. `accept`: statuses that are answers, not errors."""

    method: str
    path: str
    question: Question
    params: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    project_uid: str = ""
    repeatable: bool = True
    accept: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Effort:
    """How long to try, until a moment on the wire's clock, and whom to tell about each try that failed."""

    deadline: float
    note: Callable[[UnavailableError], None] = lambda _trouble: None


class _AgainError(Exception):
    """This try failed; the next may not."""

    def __init__(self, failure: UnavailableError, retry_after: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after = retry_after


class _KeyAuth(httpx.Auth):
    """Puts the API key into the request while it is on its way, and only then."""

    def __init__(self, key: Masked) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["ApiKey"] = self._key.reveal()
        try:
            yield request
        finally:
            request.headers.pop("ApiKey", None)


class Wire:
    """Sends requests to one server with one key. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        key: Masked,
        *,
        ca_pem: str | None = None,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._key = key
        self._timeout = timeout
        self.clock, self._sleep = clock, sleep
        self._http = _client(base_url, ca_pem, transport)
        # A transport of a test is no real server: nothing to be polite to.
        self._pace: Pace | None = None if transport else pace_of(base_url)

    def send(self, ask: Ask, effort: Effort) -> Answer:
        """Return the answer to `ask`, before the deadline of `effort`.

        Raises RefusedError for an answer that repeating does not change, UnavailableError when time ran out.
        """
        seen: list[UnavailableError] = []
        retrying = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=lambda state: self.clock() + state.upcoming_sleep + _SHORTEST_TRY >= effort.deadline,
            wait=_pause,
            before_sleep=lambda state: _tell(state, seen.append, effort.note),
            sleep=self._sleep,
            reraise=True,
        )
        failure: RefusedError
        try:
            return retrying(self._once, ask, effort.deadline)
        except _AgainError as again:
            failure = again.failure
        except RefusedError as refused:
            failure = refused.again()
        if isinstance(failure, TimedOutError) and seen:
            # What went wrong before says more than that the last short try came to nothing.
            failure = seen[-1]
        # Raised afresh and here: from the place where it was found, an error would drag frames along with the body of
        # the answer in them, and out of an `except` block the other error.
        raise failure

    def _once(self, ask: Ask, deadline: float) -> Answer:
        """Send once; raise _AgainError for what may pass, RefusedError for what will not."""
        seconds = min(self._timeout, deadline - self.clock())
        if seconds < _SHORTEST_TRY or (self._pace and not self._pace.take(seconds - _SHORTEST_TRY)):
            raise out_of_time(ask.question)
        seconds = min(seconds, deadline - self.clock())
        response, failure = self._exchange(ask, seconds)
        if response is None:
            if isinstance(failure, UnavailableError) and ask.repeatable:
                raise _AgainError(failure)
            raise failure if failure else timed_out(ask.question, seconds)
        return self._judge(ask, response)

    def _exchange(self, ask: Ask, seconds: float) -> tuple[httpx.Response | None, RefusedError | None]:
        """Return the response, or why there is none."""
        headers = {"ProjectUid": ask.project_uid} if ask.project_uid else {}

        def call() -> httpx.Response:
            return self._http.request(
                ask.method,
                ask.path,
                params=dict(ask.params),
                json=ask.json,
                headers=headers,
                auth=_KeyAuth(self._key),
                timeout=seconds,
            )

        try:
            return _bounded(call, seconds), None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return None, no_answer(ask.question, error, seconds)

    def _judge(self, ask: Ask, response: httpx.Response) -> Answer:
        status, body = response.status_code, _decoded(response)
        if status in ask.accept:
            return Answer(status, _date(response), None if body is _NOT_JSON else body)
        if 200 <= status < 300:
            if body is _NOT_JSON:
                raise not_json(ask.question, status)
            return Answer(status, _date(response), body)
        failure = refusal(ask.question, status, None if body is _NOT_JSON else body)
        failure = self._redacted(failure)
        if isinstance(failure, UnavailableError) and (status == 429 or ask.repeatable):
            raise _AgainError(failure, _retry_after(response))
        raise failure

    def _redacted(self, failure: RefusedError) -> RefusedError:
        """Return the failure without the API key, should Palette have quoted it."""
        clean, remedy = self._key.redact(failure.message), self._key.redact(failure.remedy)
        return type(failure)(clean, remedy=remedy, where=failure.where, status=failure.status, code=failure.code)


_NOT_JSON = object()


def _decoded(response: httpx.Response) -> object:
    if not response.content:
        return None
    try:
        decoded: object = response.json()
    except ValueError:
        return _NOT_JSON
    return decoded


def _date(response: httpx.Response) -> datetime | None:
    """Return the server's own time, from its `Date` header; None where a proxy took it away."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that `Retry-After` asks for, whether it names seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        wanted = parsedate_to_datetime(text)
    except ValueError:
        return None
    here = _date(response)
    return max(0.0, (wanted - here).total_seconds()) if here else None


def _tell(state: RetryCallState, *listeners: Callable[[UnavailableError], None]) -> None:
    """Hand the failure of a try to everybody who wants to know of it."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _AgainError):
        for listener in listeners:
            listener(error.failure)


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next try: what the server asked for, else doubling with a little chance in it."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _AgainError) and error.retry_after is not None:
        return error.retry_after
    doubled: float = _FIRST_PAUSE * 2.0 ** min(state.attempt_number - 1, 10)
    return min(_LONGEST_PAUSE, doubled) * _SPREAD.uniform(0.8, 1.2)


def _bounded(call: Callable[[], httpx.Response], seconds: float) -> httpx.Response:
    """Return what `call` returns, or raise TimeoutError after `seconds`.

    httpx limits each read, not the whole exchange, and cannot limit a name look-up at all, which may last a minute.
    """
    box: queue.SimpleQueue[httpx.Response | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put(call())
        except BaseException as error:
            box.put(error)

    threading.Thread(target=run, name="palette-request", daemon=True).start()
    try:
        outcome = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


_clients: dict[tuple[str, str], httpx.Client] = {}
_clients_lock = threading.Lock()


def _client(base_url: str, ca_pem: str | None, transport: httpx.BaseTransport | None) -> httpx.Client:
    """Return the process's one connection pool for a server and its CA; a pool of its own for a test's transport."""
    if transport is not None:
        return httpx.Client(base_url=base_url, transport=transport)
    digest = hashlib.sha256((ca_pem or "").encode()).hexdigest()
    with _clients_lock:
        if (base_url, digest) not in _clients:
            limits = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=30.0)
            _clients[base_url, digest] = httpx.Client(base_url=base_url, verify=_trust(ca_pem), limits=limits)
        return _clients[base_url, digest]


def _trust(ca_pem: str | None) -> ssl.SSLContext:
    """Return what to trust: the usual public CAs, the system's own, and the CA of the settings."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    if ca_pem:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError) as error:
            reason = str(error)
        else:
            return context
        raise PaletteError(
            f"palette.caCert is no certificate in PEM form ({reason}).",
            remedy="put the CA's whole PEM text there, from BEGIN to END CERTIFICATE.",
        )
    return context


@atexit.register
def close_all() -> None:
    """Close the connections of this process."""
    with _clients_lock:
        for client in _clients.values():
            client.close()
        _clients.clear()
