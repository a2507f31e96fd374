"""The error answers of Palette: `{code, message, details, ref}` and a status."""

from __future__ import annotations

from aiohttp import web


class ApiError(Exception):
    """A request that Palette refuses."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """Return the answer with the documented error body."""
        body = {"code": self.code, "message": self.message, "details": None, "ref": "lab"}
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.json_response(body, status=self.status, headers=headers)


def not_found(what: str) -> ApiError:
    """Return the error for something that does not exist."""
    return ApiError(404, "ResourceNotFound", f"{what} not found")


def denied(what: str) -> ApiError:
    """Return the error for something that the caller may not do."""
    return ApiError(403, "ResourceAccessDenied", what)


def bad_request(code: str, message: str) -> ApiError:
    """Return the error for a request that makes no sense."""
    return ApiError(400, code, message)
