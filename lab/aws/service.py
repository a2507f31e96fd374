"""What every service of the account does before it answers: who asks, may they, and is the fault of a moment on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import BaseResponse

from lab.aws.refusal import RefusedError, not_there

if TYPE_CHECKING:
    from lab.aws.account import Account


class Gated(BaseResponse):
    """A service of moto, or one of ours, behind the account's gate. `account` is set before the request comes in."""

    account: Account
    asked: str = ""

    def resource(self) -> str:
        """Return the ARN of what the request is about, "" where AWS does not name it in a refusal."""
        return ""

    def call_action(self) -> Any:
        """Answer the request, or refuse it in the service's own words."""
        service = str(self.service_name)
        self.asked = str(self._get_action() or "")
        try:
            self.account.gate.check(service, self.asked, self.get_access_key(), self.resource())
            status, headers, body = super().call_action()
        except RefusedError as refusal:
            return refusal.reply(service)
        except NotImplementedError:
            return not_there(service, self.asked or "nothing").reply(service)
        return status, headers, body
