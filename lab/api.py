"""The daemon's control API: HTTP with JSON on a unix socket that only root can reach.

GET  /status                    phase, machines, services
GET  /events?after=N            lines for people
GET  /requests?service=&since=  what the stand-ins were asked
GET  /logins?host=&since=       logins accepted by a machine's sshd
GET  /inside?host=              the words that run a command inside a machine
POST /machine {name, action}    on, off, shutdown, restart, reboot, reset
POST /fault {name, host, on}    of a machine or of the stand-ins
POST /faults/clear              switch all of them off
POST /resume                    start the machines that are off
POST /stop                      end the daemon
POST /palette/ACTION {...}      what an administrator could do to Palette's records and tokens
POST /aws/ACTION {...}          reset the AWS account, register a machine with its SSM
POST /datastores/ACTION {...}   look at files of the datastores, write, delete, ask for a ticket
GET  /vms                       the VMs, as a vCenter and VMware Tools would tell of them
POST /vms/define {id, name...}  make a VM, or change what it is
POST /vms/power {id, action}    on, off, reset, shutdown, reboot
POST /vms/destroy {id}          remove a VM and its disk
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from edge.errors import EdgeError
from lab.datastore_service import COOKIE
from lab.supervisor import Supervisor, describe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_SLOW_SECONDS = 120.0


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer our own errors with their message and remedy, and any other with its name."""
    try:
        return await handler(request)
    except EdgeError as error:
        place = f"{error.where}: " if error.where else ""
        return web.json_response({"message": place + error.message, "remedy": error.remedy}, status=400)
    except web.HTTPException as error:
        return web.json_response({"message": error.reason}, status=error.status)
    except (KeyError, TypeError, ValueError) as error:
        return web.json_response({"message": f"bad request: {type(error).__name__} {error}"}, status=400)


def application(lab: Supervisor, stop: Callable[[], None]) -> web.Application:
    """Return the API of a lab; `stop` is called when somebody asks the daemon to end."""
    app = web.Application(middlewares=[errors_as_json])
    handlers = _Handlers(lab, stop)
    app.router.add_get("/status", handlers.status)
    app.router.add_get("/events", handlers.events)
    app.router.add_get("/requests", handlers.requests)
    app.router.add_get("/logins", handlers.logins)
    app.router.add_get("/inside", handlers.inside)
    app.router.add_post("/machine", handlers.machine)
    app.router.add_post("/fault", handlers.fault)
    app.router.add_post("/faults/clear", handlers.clear_faults)
    app.router.add_post("/resume", handlers.resume)
    app.router.add_post("/stop", handlers.stop)
    app.router.add_post("/palette/{action}", handlers.palette)
    app.router.add_post("/aws/{action}", handlers.aws)
    app.router.add_post("/datastores/{action}", handlers.datastores)
    app.router.add_get("/vms", handlers.vms)
    app.router.add_post("/vms/define", handlers.define_vm)
    app.router.add_post("/vms/power", handlers.power_vm)
    app.router.add_post("/vms/destroy", handlers.destroy_vm)
    return app


class _Handlers:
    """One method per route."""

    def __init__(self, lab: Supervisor, stop: Callable[[], None]) -> None:
        self._lab = lab
        self._stop = stop

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._lab.status())

    async def events(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        return web.json_response({"events": [describe(event) for event in self._lab.events[after:]]})

    async def requests(self, request: web.Request) -> web.Response:
        since = float(request.query.get("since", "0"))
        found = self._lab.standins().requests(request.query.get("service"), since)
        return web.json_response({"requests": found})

    async def logins(self, request: web.Request) -> web.Response:
        since = float(request.query.get("since", "0"))
        return web.json_response({"logins": await asyncio.to_thread(self._lab.logins, request.query["host"], since)})

    async def inside(self, request: web.Request) -> web.Response:
        return web.json_response({"command": self._lab.machine(request.query["host"]).inside()})

    async def machine(self, request: web.Request) -> web.Response:
        body = await _body(request)
        name = str(body["name"])
        await asyncio.wait_for(self._lab.power(name, str(body["action"])), _SLOW_SECONDS)
        return web.json_response(self._lab.machine_status(self._lab.machine(name)))

    async def fault(self, request: web.Request) -> web.Response:
        body = await _body(request)
        host = None if body.get("host") is None else str(body["host"])
        await self._lab.fault(str(body["name"]), host, bool(body.get("on", True)))
        return web.json_response({})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        await self._lab.clear_faults()
        return web.json_response({})

    async def resume(self, _request: web.Request) -> web.Response:
        await self._lab.resume()
        return web.json_response(self._lab.status())

    async def stop(self, _request: web.Request) -> web.Response:
        self._stop()
        return web.json_response({})

    async def palette(self, request: web.Request) -> web.Response:
        helpers = self._lab.standins().palette
        return web.json_response({"result": helpers.call(request.match_info["action"], await _body(request))})

    async def aws(self, request: web.Request) -> web.Response:
        account = self._lab.standins().account()
        done = account.call(request.match_info["action"], await _body(request))
        return web.json_response({"result": await asyncio.wait_for(done, _SLOW_SECONDS)})

    async def datastores(self, request: web.Request) -> web.Response:
        action, body = request.match_info["action"], await _body(request)
        done = await asyncio.to_thread(self._lab.datastores.call, action, body)
        if action == "ticket":
            url = self._lab.datastore_service.url(str(body["datacenter"]), str(body["path"]))
            done = {"url": url, "headers": {"Cookie": f"{COOKIE}={done}"}}
        return web.json_response({"result": done})

    async def vms(self, _request: web.Request) -> web.Response:
        return web.json_response(self._lab.vms.listing())

    async def define_vm(self, request: web.Request) -> web.Response:
        return web.json_response(await self._lab.ready_vms().define(await _body(request)))

    async def power_vm(self, request: web.Request) -> web.Response:
        body = await _body(request)
        done = self._lab.ready_vms().power(str(body["id"]), str(body["action"]))
        return web.json_response(await asyncio.wait_for(done, _SLOW_SECONDS))

    async def destroy_vm(self, request: web.Request) -> web.Response:
        await self._lab.ready_vms().destroy(str((await _body(request))["id"]))
        return web.json_response({})


async def _body(request: web.Request) -> dict[str, Any]:
    body: Any = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body
