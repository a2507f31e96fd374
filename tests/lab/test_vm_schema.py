"""The real cloud-init and netplan of the template judge everything that the program renders for a VM."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from lab_hand import LabHand

from edge.settings import load_stack
from edge.vm.guestinfo import extra_config, schema_documents
from edge.vm.hostkey import derive

pytestmark = [pytest.mark.lab, pytest.mark.row("A1", "A2")]

GOLDEN = sorted(path.name.removesuffix(".user-data.yaml") for path in Path("tests/golden/vm").glob("*.user-data.yaml"))
Judge = Callable[..., subprocess.CompletedProcess[str]]
_CONVERT = (
    "cloud-init devel net-convert --network-data /judged --kind yaml --directory /out --distro debian --output-kind netplan"
    " && netplan generate --root-dir /out && cat /out/run/systemd/network/*.network"
)


@pytest.fixture(scope="module")
def judge(lab: LabHand, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Return what runs a command in a layer over the template, with a text in the file /judged there."""
    template = lab.site.template
    assert template is not None

    def run(text: str, command: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("layer")
        for name in ("upper", "work", "merged"):
            (folder / name).mkdir()
        (folder / "upper" / "judged").write_text(text, "utf-8")
        layers = f"lowerdir={template},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        script = 'mount -t overlay judged -o "$0" "$1" && mount -t proc proc "$1/proc" && exec chroot "$1" sh -c "$2"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, layers, str(folder / "merged"), command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def schema(judge: Judge, text: str) -> subprocess.CompletedProcess[str]:
    return judge(text, "cloud-init schema --config-file /judged")


@pytest.mark.parametrize("case", GOLDEN)
def test_cloud_init_accepts_the_user_data(judge: Judge, root: Path, case: str) -> None:
    done = schema(judge, (root / "tests/golden/vm" / f"{case}.user-data.yaml").read_text("utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout
    assert "deprecated" not in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("case", GOLDEN)
def test_netplan_makes_of_the_metadata_the_network_that_was_meant(judge: Judge, root: Path, case: str) -> None:
    metadata = yaml.safe_load((root / "tests/golden/vm" / f"{case}.metadata.yaml").read_text("utf-8"))
    network = metadata["network"]
    done = judge(yaml.safe_dump({"network": network}), _CONVERT)
    assert done.returncode == 0, done.stdout + done.stderr
    meant = network["ethernets"]["eth0"]
    lines = done.stdout.splitlines()
    assert f"Address={meant['addresses'][0]}" in lines
    assert f"Gateway={meant['routes'][0]['via']}" in lines
    assert [line for line in lines if line.startswith("DNS=")] == [
        f"DNS={server}" for server in meant["nameservers"]["addresses"]
    ]
    assert "Name=eth0" in lines
    assert "DHCP" not in done.stdout


def test_cloud_init_accepts_what_the_labs_own_vm_gets(judge: Judge, lab: LabHand, root: Path) -> None:
    settings = load_stack("lab", root, stack_file=lab.paths.stack_file)
    host = settings.host_view("vm")
    key = derive(lab.site.secrets["hostKeySeed"], site=settings.site.name, host=host.name, generation=1)
    documents = schema_documents(extra_config(settings, host, key, [lab.site.fittings().authorized_key]))
    accepted = schema(judge, documents["cloud-config"])
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    converted = judge(documents["network-config"], _CONVERT)
    assert f"Address={host.address}/24" in converted.stdout


@pytest.mark.parametrize("text", ["#cloud-config\nusers: 7\n", "#cloud-config\nssh_genkeytypes: []\n", "users: []\n"])
def test_the_judge_refuses_what_is_wrong(judge: Judge, text: str) -> None:
    assert schema(judge, text).returncode != 0


def test_the_judge_of_networks_refuses_what_is_wrong(judge: Judge) -> None:
    assert judge("network: {version: 2, ethernets: {eth0: {addresses: [10.0.0.300/24]}}}\n", _CONVERT).returncode != 0
