"""Keeps logins to vCenters open for some seconds, so that looks every few seconds are not logins every few seconds.

A login is used by one caller at a time: the client library's connection holds one answer. The provider serves four calls at
a time, so there are four logins at most.
"""

from __future__ import annotations

import atexit
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from edge.settings.access import SecretRef
from edge.settings.vsphere import Vcenter
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import VcenterAccess
from edge.vcenter.session import Limits, Session

IDLE_SECONDS = 20.0
# A look must end within some two seconds; a vCenter that needs longer for one answer is asked again at the next look.
LIMITS = Limits(connect=3.0, answer=4.0, whole=6.0)


@dataclass
class Pool:
    """Open logins that nobody uses now, with the moment since when."""

    idle_seconds: float = IDLE_SECONDS
    _idle: list[tuple[VcenterAccess, Session, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _timer: threading.Timer | None = None

    def take(self, access: VcenterAccess) -> Session:
        """Return an open login, a kept one if there is one. Raises VcenterError that says why it cannot."""
        with self._lock:
            for at, (known, session, _) in enumerate(self._idle):
                if known == access:
                    del self._idle[at]
                    session.renew()
                    return session
        session = Session(vcenter_of(access), access.password, LIMITS)
        session.open()
        return session

    def give(self, access: VcenterAccess, session: Session) -> None:
        """Keep a login for the next one who needs it."""
        with self._lock:
            self._idle.append((access, session, time.monotonic()))
            self._plan()

    def close(self, older: float = 0.0) -> None:
        """Log out from everything that nobody has used for `older` seconds."""
        now = time.monotonic()
        with self._lock:
            old = [one for one in self._idle if now - one[2] >= older]
            self._idle = [one for one in self._idle if one not in old]
            self._timer = None
            self._plan()
        for _, session, _ in old:
            with suppress(Exception):
                session.close()

    def _plan(self) -> None:
        if self._idle and self._timer is None:
            self._timer = threading.Timer(self.idle_seconds, self.close, (self.idle_seconds * 0.9,))
            self._timer.daemon = True
            self._timer.start()


POOL = Pool()
atexit.register(POOL.close)


def vcenter_of(access: VcenterAccess) -> Vcenter:
    """Return an access as the settings of a vCenter. Raises VcenterError for what cannot be one."""
    given = {
        "server": access.server,
        "user": access.user,
        "password": SecretRef(secret=access.password_secret),
        "caCert": access.ca_pem or None,
        "thumbprint": access.thumbprint or None,
    }
    try:
        return Vcenter.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        problem = f"its {'.'.join(str(part) for part in first['loc'])} cannot be used: {first['msg']}"
        raise VcenterError(problem, remedy="correct it in the settings", where=f"vCenter {access.server}") from None
