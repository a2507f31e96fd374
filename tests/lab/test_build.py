"""The program's own build on the lab's build machine: from a tag to a pushed image and an ISO that can be installed."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from build_hand import REGISTRY, Builder, IsoContent, read_iso, registry_get, unpacked
from lab_hand import LabHand

from edge.canvos.build import Built
from edge.canvos.machine import gather, machine_findings
from edge.errors import SettingsError
from tests.unit.settings_helpers import authority

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]
LINES = ("RUN touch /srv/ours && echo ours >/etc/edge-hosts-test", "RUN test -f /srv/ours")
PATH = "/v2/edge/ubuntu"
CA = authority()


@pytest.fixture(scope="module")
def builder(lab: LabHand) -> Builder:
    lab.client.power("reset", "builder")
    return Builder(lab, "/home/edge/build")


@pytest.fixture(scope="module")
def built(builder: Builder) -> Built:
    began = time.monotonic()
    made = builder.built(builder.request(dockerfile=LINES, certificates=(CA,)))
    assert time.monotonic() - began < 120
    return made


@pytest.fixture(scope="module")
def content(builder: Builder, built: Built) -> IsoContent:
    return read_iso(builder.fetched(built.isos["poweroff"]["path"]))


@pytest.mark.row("B1")
def test_the_machine_has_what_a_build_needs(builder: Builder) -> None:
    facts = gather(builder, "/home/edge/build", registry=REGISTRY)
    wrong = [
        str(one)
        for one in machine_findings(facts, "builder", push=True)
        if not any(word in str(one) for word in ("CPUs", "memory", "disk"))
    ]
    assert wrong == []
    assert facts["docker_config"] == "file"


@pytest.mark.row("B10", "B13")
def test_the_image_is_in_the_registry_under_its_digest(lab: LabHand, built: Built) -> None:
    assert built.image == f"{REGISTRY}/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
    headers, text = registry_get(lab, f"{PATH}/manifests/nodeadm-1.31.0-v4.5.15-eks-hybrid")
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    assert built.image_digest == headers["docker-content-digest"] == digest
    layer = json.loads(text)["layers"][0]
    _, blob = registry_get(lab, f"{PATH}/blobs/{layer['digest']}")
    assert (f"sha256:{hashlib.sha256(blob).hexdigest()}", len(blob)) == (layer["digest"], layer["size"])


@pytest.mark.row("B8", "B12")
def test_the_iso_is_one_and_holds_what_it_should(builder: Builder, built: Built, content: IsoContent) -> None:
    iso = built.isos["poweroff"]
    raw = builder.fetched(iso["path"])
    assert (hashlib.sha256(raw).hexdigest(), str(len(raw))) == (iso["sha256"], iso["size"])
    assert content.volume == "COS_LIVE"
    assert set(content.files) == {"config.yaml", "rootfs.tar.zst", "SHA256SUMS"}
    assert content.files["config.yaml"].decode() == builder.request().user_data["poweroff"]
    sums = dict(line.split("  ")[::-1] for line in content.files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(content.files[name]).hexdigest() for name in ("config.yaml", "rootfs.tar.zst")}


@pytest.mark.row("B6", "B7")
def test_the_root_is_whole_and_customized(content: IsoContent, tmp_path: Path) -> None:
    root = unpacked(content.files["rootfs.tar.zst"], tmp_path / "root")
    for needed in (
        "usr/lib/systemd/systemd",
        "usr/sbin/sshd",
        "usr/bin/jq",
        "usr/bin/curl",
        "usr/bin/zstd",
        "usr/sbin/conntrack",
    ):
        assert (root / needed).exists(), needed
    assert (root / "etc/edge-hosts-test").read_text() == "ours\n"
    assert (root / "usr/local/share/ca-certificates/lab-public.crt").exists()
    trusted = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert CA.strip() in trusted, "an authority of the build stays in the image"
    assert "edge:" not in (root / "etc/passwd").read_text(), "nobody may log in before the user-data"
    facts = json.loads((root / "usr/lib/edge-hosts-lab/image.json").read_text())
    assert (facts["agent"], facts["kubernetes"]) == ("v4.5.15", "1.31.0")
    assert facts["runs"] == [line.removeprefix("RUN ") for line in LINES]
    assert [name for name in facts["buildkitTrusts"] if name.startswith("edge-hosts-")], "it had a terminal"
    agent = (root / "opt/spectrocloud/bin/palette-agent").read_text()
    assert 'AGENT_VERSION="4.5.15"' in agent, "the agent of an image is that of its tag"
    assert not list(root.glob("etc/ssh/ssh_host_*")) and not (root / "etc/machine-id").read_text()


@pytest.mark.row("B10")
def test_the_same_again_asks_nothing_of_the_builder(lab: LabHand, builder: Builder, built: Built) -> None:
    builder.ran.clear()
    since = time.time()
    again = builder.built(builder.request(dockerfile=LINES, certificates=(CA,)))
    assert (again.inputs, again.image_digest, again.isos) == (built.inputs, built.image_digest, built.isos)
    assert not any("setsid" in script and "jobs/build" in script for script in builder.ran)
    assert not [entry for entry in lab.client.requests("registry", since) if "pushed" in str(entry["kind"])]


@pytest.mark.row("B5")
def test_a_version_that_the_tag_has_not_starts_no_build(builder: Builder, built: Built) -> None:
    with pytest.raises(SettingsError, match=r"1\.29\.0, 1\.30\.0, 1\.31\.0"):
        builder.built(builder.request(kubernetes="1.32.0"))


@pytest.mark.row("B8", "B10")
def test_two_kinds_and_a_bundle_from_one_image(builder: Builder, built: Built) -> None:
    from edge.appliance.userdata import build_file

    builder.says("mkdir -p bundles/content-abc && head -c 100000 /dev/urandom >bundles/content-abc/part.zst")
    both = {"poweroff": build_file("poweroff"), "reboot": build_file("reboot")}
    made = builder.built(builder.request(user_data=both, bundle="/home/edge/bundles/content-abc"))
    roots = set()
    for kind, iso in made.isos.items():
        found = read_iso(builder.fetched(iso["path"]))
        assert found.files["config.yaml"].decode() == both[kind]  # type: ignore[index]
        assert len(found.files["content-abc/part.zst"]) == 100000
        roots.add(hashlib.sha256(found.files["rootfs.tar.zst"]).hexdigest())
    assert len(roots) == 1
    assert made.isos["reboot"]["name"] == "palette-edge-installer-reboot.iso"


@pytest.mark.row("B3", "B11")
def test_a_tag_that_holds_another_agent(builder: Builder, built: Built) -> None:
    made = builder.built(builder.request(tag="v4.10.0"))
    assert (made.pe_version, made.image) == ("v4.9.21", f"{REGISTRY}/ubuntu:nodeadm-1.31.0-v4.9.21-eks-hybrid")
