"""Checks that no host can answer alone: the control machine, the hosts compared with each other, and Palette."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_CLONES = "Palette docs, install agent host (cloned machines)"
_API = "Palette API"
_TOKENS = "Palette docs, edge registration tokens"
_SIZE = "Palette docs, hardware requirements of edge hosts"

CONTROL = (
    Check("control.settings", "The settings are valid", (), ALWAYS,
          "run `python -m edgectl check STACK`, which lists every finding", "this program", where="control"),
    Check("control.network", "The network of the site is consistent", ("A6",), ALWAYS,
          "correct the values named under `network` and `hosts`", "EKS User Guide, hybrid nodes networking", where="control"),
    Check("control.secrets", "Every secret of the stack can be read", ("A13",), ALWAYS,
          "set it with `pulumi config set --secret NAME`", "this program", where="control"),
    Check("control.login", "The program can log in and become root", ("A3",), ALWAYS,
          "correct what the message names: address, port, user, key, host key or sudo", "OpenSSH", where="control"),
    Check("control.image", "The installer image is known and is that of the release", ("B11", "B14"), ALWAYS,
          "deploy the build stack, correct `image`, or pin the image: `python -m edge.releases pin RELEASE --image FACTS`",
          "this program", where="control"),
)  # fmt: skip

ACROSS = (
    Check("across.machineid", "Every host has a machine-id of its own", ("A21",), ALWAYS,
          "on all but one of the hosts named: `rm -f /etc/machine-id && systemd-machine-id-setup`, then reboot", _CLONES, where="across"),
    Check("across.productuuid", "Every host has a product_uuid of its own", ("A21",), ALWAYS,
          "give the cloned machines a new uuid in the hypervisor", _CLONES, where="across"),
    Check("across.hostname", "Every host has a host name of its own", ("A15",), ADVICE,
          "nothing, if the agent may rename them; else `hostnamectl set-hostname NAME`", _CLONES, where="across"),
    Check("across.machine", "Every name of the settings is another machine", ("A2", "A3"), ALWAYS,
          "correct `address` of the hosts named: they lead to one machine", "this program", where="across"),
    Check("across.clock", "The clocks of the hosts agree", ("A10",), STRICT,
          "let one time server keep all hosts: each should be within 10 s of their median", "k0sctl, pre-flight checks", where="across"),
    Check("across.system", "The hosts run the same operating system", (), ADVICE,
          "nothing, if that is meant: one node pool takes one image of Kubernetes for all of them", "Palette docs, hybrid node pools",
          where="across"),
)  # fmt: skip

PALETTE = (
    Check("palette.api", "Palette's API answers and accepts the key", ("A5", "A13"), ALWAYS,
          "export SPECTROCLOUD_APIKEY with a valid key, and check `palette.endpoint` and `palette.caCert`", _API, where="palette"),
    Check("palette.project", "The project exists", ("A21",), ALWAYS,
          "correct `palette.project` (or projectUid): a wrong project gives no error anywhere, the host just never appears",
          _API, where="palette"),
    Check("palette.token", "The registration token is active", ("A13",), ALWAYS,
          "make a new token in Palette (Tenant Settings, Registration Tokens) and set the secret `registrationToken`",
          _TOKENS, where="palette"),
    Check("palette.names", "No name belongs to somebody else in Palette", ("A21",), ALWAYS,
          "choose another name, or delete the record in Palette if it is really left over", _API, where="palette"),
    Check("palette.healthy", "Palette calls every host that registered healthy", ("A21", "B15"), ALWAYS,
          "look at the host's own checks above, then at its events in Palette", _API, where="palette"),
    Check("palette.size", "Palette sees the size and address that an appliance must have", ("B2", "B17"), ALWAYS,
          "give the machine 2 CPUs, 8 GiB and 100 GB at least, and the address of the settings", _SIZE, where="palette"),
)  # fmt: skip
