"""The endpoint names that only have to be there: AWS services, registries, operating systems, and the API server.

They answer as the real ones do to a request without credentials, which is what a reachability probe sees.
"""

from __future__ import annotations

import json

from aiohttp import web

from lab.services.http import Answer
from lab.services.names import normal

_DENIED_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


async def generic(request: web.BaseRequest) -> Answer:
    """Answer as an endpoint of that name answers a stranger: S3 and CDN 403, registries 401, others a small page."""
    host = normal(request.host.rsplit(":", 1)[0])
    if ".s3." in f".{host}" or host.startswith(("s3.", "hybrid-assets.", "rolesanywhere.amazonaws")):
        return web.Response(status=403, text=_DENIED_XML, content_type="application/xml"), "probe"
    if ".dkr.ecr" in host or host in ("public.ecr.aws", "quay.io") or host.endswith("docker.io"):
        headers = {"Www-Authenticate": f'Basic realm="https://{host}/",service="registry"'}
        return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401, headers=headers), "probe"
    if "amazonaws" in host or host.endswith(".api.aws"):
        return web.json_response({"message": "Missing Authentication Token"}, status=403), "probe"
    return web.Response(text=f"{host}\n"), "probe"


async def api_server(_: web.BaseRequest) -> Answer:
    """Answer as the Kubernetes API server to a request without credentials: 401 and a Status object."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }
    return web.Response(status=401, text=json.dumps(status) + "\n", content_type="application/json"), "probe"
