"""What the account says no with, in the wire format of each service."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an answer."""

_REQUEST_ID = "7f1d2c9a-0000-4000-8000-000000000000"
_EC2 = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
    f"</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
)
_QUERY = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    f"<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
)


class RefusedError(Exception):
    """An error of the API: its code, what it says, and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def reply(self, service: str) -> Reply:
        """Return the answer as a client of that service reads it."""
        if service in ("ec2", "iam", "sts"):
            text = (_EC2 if service == "ec2" else _QUERY).format(code=self.code, message=escape(self.message))
            return self.status, {"Content-Type": "text/xml"}, text.encode()
        body = json.dumps({"__type": self.code, "message": self.message, "Message": self.message})
        kind = "application/json" if service == "eks" else "application/x-amz-json-1.1"
        return self.status, {"Content-Type": kind, "x-amzn-ErrorType": self.code}, body.encode()


def invalid(message: str) -> RefusedError:
    """Return the error with which EKS refuses a value."""
    return RefusedError("InvalidParameterException", message)


def not_found(message: str) -> RefusedError:
    """Return the error with which EKS says that something is not there."""
    return RefusedError("ResourceNotFoundException", message, 404)


# How each service says that a caller may not, asks too much, or that the session is over. Sources: the common errors
# and the error codes in the API references of EC2, EKS, Systems Manager, IAM and STS.
_DENIED = {"ec2": ("UnauthorizedOperation", 403), "iam": ("AccessDenied", 403), "sts": ("AccessDenied", 403),
           "eks": ("AccessDeniedException", 403)}  # fmt: skip
_THROTTLED = {"ec2": ("RequestLimitExceeded", 503), "iam": ("Throttling", 400), "sts": ("Throttling", 400),
              "eks": ("ThrottlingException", 429)}  # fmt: skip
_EXPIRED = {"ec2": ("RequestExpired", 400), "iam": ("ExpiredToken", 403), "sts": ("ExpiredToken", 403),
            "eks": ("ExpiredTokenException", 403)}  # fmt: skip
_UNKNOWN = {"ec2": ("AuthFailure", 401), "iam": ("InvalidClientTokenId", 403), "sts": ("InvalidClientTokenId", 403),
            "eks": ("UnrecognizedClientException", 403)}  # fmt: skip


def denied(service: str, action: str, caller: str, resource: str = "") -> RefusedError:
    """Return the error for an action that no policy allows; `action` is the IAM action, `resource` what it is about."""
    code, status = _DENIED.get(service, ("AccessDeniedException", 400))
    who = f"User: {caller} is not authorized to perform: {action}{f' on resource: {resource}' if resource else ''}"
    text = f"You are not authorized to perform this operation. {who}" if service == "ec2" else who
    return RefusedError(code, f"{text} because no identity-based policy allows the {action} action", status)


def throttled(service: str) -> RefusedError:
    """Return the error for too many requests."""
    code, status = _THROTTLED.get(service, ("ThrottlingException", 400))
    return RefusedError(code, "Request limit exceeded." if service == "ec2" else "Rate exceeded", status)


def expired(service: str) -> RefusedError:
    """Return the error for a session whose time is over."""
    code, status = _EXPIRED.get(service, ("ExpiredTokenException", 400))
    said = "Request has expired." if service == "ec2" else "The security token included in the request is expired"
    return RefusedError(code, said, status)


def unknown_key(service: str) -> RefusedError:
    """Return the error for an access key that the account does not know."""
    code, status = _UNKNOWN.get(service, ("UnrecognizedClientException", 400))
    ec2 = "AWS was not able to validate the provided access credentials"
    return RefusedError(
        code, ec2 if service == "ec2" else "The security token included in the request is invalid.", status
    )


def not_there(service: str, action: str) -> RefusedError:
    """Return the error for what the lab cannot play; clients do not repeat a 501."""
    return RefusedError("NotImplemented", f"the lab's AWS does not know {service}:{action}", 501)
