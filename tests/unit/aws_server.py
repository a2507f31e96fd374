"""A server that speaks just enough of STS and EKS for a session: it sees whose keys signed what, and answers as told."""

from __future__ import annotations

import http.server
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.unit.threaded import threaded
from tests.unit.vcenter_server import Signed

_ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token-of-{key}</SessionToken>
<Expiration>{ends}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>x:y</AssumedRoleId><Arn>{arn}</Arn>
</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""
_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>{message}</Message></Error></ErrorResponse>"""


@dataclass
class Aws:
    """What the server does, and what it saw: the key that signed, its token, and the values of each request."""

    status: int = 200
    code: str = ""
    message: str = ""
    silent: float = 0.0
    lives: float = 3600.0
    refuses: str = ""  # the role that STS refuses
    url: str = ""
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    aws: Aws

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer EKS."""
        self._see({"path": self.path})
        time.sleep(self.aws.silent)
        body: dict[str, Any] = {"clusters": ["plants-prod"], "message": self.aws.message}
        self._send(self.aws.status, json.dumps(body), "application/json", self.aws.code)

    def do_POST(self) -> None:
        """Answer STS."""
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {key: values[0] for key, values in parse_qs(text).items()}
        self._see(form)
        role = form["RoleArn"]
        if role == self.aws.refuses:
            message = f"User: arn:aws:iam::1:user/ci is not authorized to perform: sts:AssumeRole on resource: {role}"
            self._send(403, _REFUSED.format(code="AccessDenied", message=message), "text/xml")
            return
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.aws.lives))
        name = role.rpartition("/")[2].upper()
        self._send(200, _ASSUMED.format(key=f"ASIA{name}", ends=ends, arn=role), "text/xml")

    def _see(self, values: dict[str, str]) -> None:
        signed = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        token = self.headers.get("X-Amz-Security-Token", "")
        self.aws.seen.append((signed[1] if signed else "", token, values))

    def _send(self, status: int, text: str, kind: str, code: str = "") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(aws: Aws, folder: Path | None = None, own: Signed | None = None) -> Iterator[Aws]:
    """Yield the server, with its address in `url`; with a certificate of its own it speaks TLS."""
    handler = type("Handler", (_Handler,), {"aws": aws})
    with threaded(handler, folder, own) as aws.url:
        yield aws
