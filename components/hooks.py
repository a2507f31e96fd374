"""The error hooks of a program: what repeats a wait. One object per name and program, for create and update.

The engine repeats a failed operation when a hook answers yes, up to a hundred times, without a pause of its own. The pause
is an `asyncio.sleep`: a blocking sleep would make all hosts wait in line. Deletes are never repeated.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Optional

import pulumi
from pulumi import ErrorHook, ErrorHookArgs, ResourceHookBinding

from edge.errors import PendingError
from edge.waiting import Advice, decide

# How long Palette may be away while something is asked of it that needs no waiting otherwise.
OUTAGE_SECONDS = 600.0
# How long a machine may refuse logins: briefly at any time (a boot that ends with `nologin`), and long after an installer.
LOGIN_SOON_SECONDS = 90.0
LOGIN_AFTER_FIRST_BOOT_SECONDS = 600.0
LOGIN_AFTER_REBOOT_SECONDS = 1800.0


def _repeat(
    limit: Callable[[ErrorHookArgs], float],
    *,
    logins: bool,
    building: bool = False,
    advice: Optional[Mapping[str, Advice]] = None,
) -> Callable[[ErrorHookArgs], Awaitable[bool]]:
    """Return a hook function that sleeps and answers yes while `edge.waiting.decide` says so.

    What is `building` may take seconds or an hour: its pauses grow, and what it waits for is shown. `advice`, by the name of
    the resource, is told when it is not repeated any more.
    """

    began: dict[tuple[str, str], float] = {}

    async def repeat(args: ErrorHookArgs) -> bool:
        if args.failed_operation == "delete":
            return False
        elapsed = time.monotonic() - began.setdefault((args.urn, args.name), time.monotonic())
        wait = decide(args.errors, limit(args), logins=logins, elapsed=elapsed, growing=building)
        if wait is None:
            _advise(args, advice or {})
            return False
        if building:
            words = args.errors[0].partition(PendingError.PREFIX)[2].splitlines()[0]
            pulumi.log.info(f"{args.name}: {words}", ephemeral=True)
        await asyncio.sleep(wait)
        return True

    return repeat


def _advise(args: ErrorHookArgs, advice: Mapping[str, Advice]) -> None:
    """Say what to do beside the words of a provider that is not ours, which have no remedy."""
    given = advice.get(args.name)
    said = given(args.errors[0]) if given and args.errors else ""
    if said:
        pulumi.log.warn(f"{args.name}: {said}.")


def _pending_limit(args: ErrorHookArgs) -> float:
    """Return the time limit in seconds that stands in the resource's own inputs, else that of a short outage."""
    return float((args.new_inputs or {}).get("timeout", OUTAGE_SECONDS))


class Hooks:
    """The error hooks of one program, each registered on first use."""

    def __init__(self) -> None:
        self._made: dict[str, ErrorHook] = {}
        self._advice: dict[str, Advice] = {}

    def _binding(
        self, name: str, limit: Callable[[ErrorHookArgs], float], *, logins: bool = False, building: bool = False
    ) -> ResourceHookBinding:
        hook = self._made.get(name)
        if hook is None:
            repeat = _repeat(limit, logins=logins, building=building, advice=self._advice)
            hook = self._made[name] = pulumi.ErrorHook(name, repeat)
        return ResourceHookBinding(on_error=[hook])

    def pending(self) -> ResourceHookBinding:
        """Return the binding that repeats what Palette calls pending, until the `timeout` input has passed."""
        return self._binding("edge-hosts-pending", _pending_limit)

    def building(self) -> ResourceHookBinding:
        """Return the binding that follows a build or an upload, until the `timeout` input has passed."""
        return self._binding("edge-hosts-building", _pending_limit, building=True)

    def login(
        self,
        *,
        jump_host: bool,
        after_reboot: bool,
        first_boot: bool = False,
        advised: Optional[tuple[str, Advice]] = None,
    ) -> Optional[ResourceHookBinding]:
        """Return the binding of a remote step, None where nothing of it is ever repeated and there is no advice.

        The command provider repeats a refused login by itself, but behind a jump host it repeats the handshake on one
        socket, which cannot succeed. There the whole command is repeated, if no login had happened. After a reboot the
        step itself may say "pending": it has started a failed installer again. `advised` is the name of the resource, and
        what follows its failure.
        """
        if advised is not None:
            self._advice[advised[0]] = advised[1]
        if not jump_host:
            if after_reboot:
                return self.pending()
            return self._binding("edge-hosts-login-advice", lambda _args: 0.0) if advised is not None else None
        if after_reboot:
            limit = LOGIN_AFTER_REBOOT_SECONDS
            return self._binding("edge-hosts-login-after-reboot", lambda _args: limit, logins=True)
        if first_boot:
            soon = LOGIN_AFTER_FIRST_BOOT_SECONDS
            return self._binding("edge-hosts-login-after-first-boot", lambda _args: soon, logins=True)
        return self._binding("edge-hosts-login", lambda _args: LOGIN_SOON_SECONDS, logins=True)
