"""`edgectl engine`: install the pinned Pulumi CLI and the provider plugins through the SDK's own installer."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess

import typer

PLUGINS = {"command": "pulumi-command", "vsphere": "pulumi-vsphere", "aws": "pulumi-aws"}


def command() -> None:
    """Install the CLI of the SDK's version and the plugins of the pinned packages, where the network allows it."""
    from pulumi.automation import PulumiCommand
    from semver import VersionInfo

    found = shutil.which("pulumi")
    if found is None:
        version = VersionInfo.parse(importlib.metadata.version("pulumi"))
        try:
            found = PulumiCommand.install(version=version).command
        except Exception as error:  # the installer raises whatever its shell or the network says
            reason = str(error).strip().splitlines()[-1][:160] if str(error).strip() else type(error).__name__
            typer.echo(
                f"engine: the Pulumi CLI {version} could not be installed here ({reason}); the lab rehearses without it"
            )
            raise typer.Exit(0) from None
    typer.echo(f"engine: CLI {found}")
    for plugin, package in PLUGINS.items():
        version_text = importlib.metadata.version(package)
        done = subprocess.run(
            [found, "plugin", "install", "resource", plugin, version_text], capture_output=True, text=True, check=False
        )
        why = "" if done.returncode == 0 else f" not installed: {(done.stderr.strip().splitlines() or ['?'])[-1][:160]}"
        typer.echo(f"engine: plugin {plugin} {version_text}{why}")
