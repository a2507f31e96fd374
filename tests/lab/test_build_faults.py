"""What goes wrong while images are built: each is seen for what it is, nothing of it is believed, and the next run is good."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from build_hand import Builder, registry_get
from lab_hand import LabHand, until

from edge.canvos.build import Build, Built, Waiting
from edge.canvos.machine import gather
from edge.errors import BuildError, EdgeError, HostError, SettingsError

pytestmark = [pytest.mark.lab, pytest.mark.fault, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def builder(lab: LabHand) -> Builder:
    lab.client.power("reset", "builder")
    return Builder(lab, "/home/edge/faults")


@contextlib.contextmanager
def broken(lab: LabHand, fault: str) -> Iterator[None]:
    """Switch a fault of the stand-ins on for a while."""
    lab.client.fault(fault)
    try:
        yield
    finally:
        lab.client.fault(fault, on=False)


def pushes(lab: LabHand, since: float) -> int:
    """Return how many manifests were pushed since a time."""
    found = lab.client.requests("registry", since)
    return sum(entry["kind"] == "manifest pushed" and entry["status"] == 201 for entry in found)


@pytest.mark.row("B10", "B12", "B13")
@pytest.mark.parametrize("fault", ["build-fails", "build-no-space"])
def test_a_build_that_fails_and_ends_with_0(lab: LabHand, builder: Builder, fault: str) -> None:
    since = time.time()
    request = builder.request(custom_tag=fault, arg={**builder.request().arg, "CUSTOM_TAG": fault})
    with broken(lab, fault), pytest.raises(BuildError) as caught:
        builder.built(request)
    assert "palette-edge-installer.iso" in str(caught.value)
    log = builder.says("cat /home/edge/faults/jobs/build/log")
    assert "system.peVersion: v4.5.15" in log, "the script goes on and prints its manifest"
    said = {"build-fails": "did not complete successfully", "build-no-space": "no space left on device"}
    assert said[fault] in log.lower() or said[fault] in log
    assert pushes(lab, since) == 0
    assert isinstance(builder.built(request), Built)
    assert pushes(lab, since) == 1


@pytest.mark.row("B12")
def test_an_iso_with_a_checksum_of_another_one(lab: LabHand, builder: Builder) -> None:
    since = time.time()
    request = builder.request(iso_name="other")
    with broken(lab, "iso-wrong-checksum"), pytest.raises(BuildError, match=r"its checksum file says"):
        builder.built(request)
    assert pushes(lab, since) == 0
    assert isinstance(builder.built(request), Built)


@pytest.mark.row("B10")
def test_a_build_that_hangs_is_ended_with_all_that_it_started(lab: LabHand, builder: Builder) -> None:
    request = builder.request(custom_tag="hangs", arg={**builder.request().arg, "CUSTOM_TAG": "hangs"}, seconds=15)
    with broken(lab, "build-hangs"):
        with pytest.raises(BuildError):
            builder.built(request)

        def quiet() -> bool:
            return builder.run("ps -eo args= | grep -v grep | grep lab.builder.tools").code != 0

        until(quiet, 10, "the end of what the build has started")


@pytest.mark.row("B10")
def test_a_build_whose_machine_is_switched_off_begins_anew(lab: LabHand, builder: Builder) -> None:
    request = builder.request(custom_tag="cut", arg={**builder.request().arg, "CUSTOM_TAG": "cut"})
    with broken(lab, "build-hangs"):
        while "building" not in str(now := Build(builder, request).advance()):
            assert isinstance(now, Waiting)
            time.sleep(0.3)
        until(lambda: builder.run("pgrep -f lab.builder.tools.earthly").code == 0, 30, "the build")
        lab.client.fault("power-cut", "builder")
        builder.disconnect()
    assert isinstance(builder.built(request), Built)


@pytest.mark.row("B1", "B13")
def test_the_registry_takes_no_push(lab: LabHand, builder: Builder) -> None:
    request = builder.request(custom_tag="denied", arg={**builder.request().arg, "CUSTOM_TAG": "denied"})
    with broken(lab, "registry-denied"), pytest.raises(EdgeError, match=r"denied"):
        builder.built(request)
    since = time.time()
    built = builder.built(request)
    headers, _ = registry_get(lab, f"/v2/edge/ubuntu/manifests/{built.image.rpartition(':')[2]}")
    assert headers["docker-content-digest"] == built.image_digest
    assert pushes(lab, since) == 1


@pytest.mark.row("B3")
def test_a_moved_tag_is_not_built(lab: LabHand, builder: Builder) -> None:
    commit = builder.built(builder.request()).commit
    builder.says("rm -rf /home/edge/faults/jobs/fetch")
    with (
        broken(lab, "tag-moved"),
        pytest.raises(SettingsError, match=rf"was moved: it is commit .* tested with {commit[:12]}"),
    ):
        builder.built(builder.request(commit=commit))
    builder.says("rm -rf /home/edge/faults/jobs/fetch")
    assert builder.built(builder.request(commit=commit)).commit == commit


@pytest.mark.row("B1")
def test_a_docker_without_privileged_containers(lab: LabHand, builder: Builder) -> None:
    request = builder.request(custom_tag="plain", arg={**builder.request().arg, "CUSTOM_TAG": "plain"})
    with broken(lab, "docker-unprivileged"), pytest.raises((BuildError, HostError, SettingsError)):
        builder.built(request)
    assert isinstance(builder.built(request), Built)


@pytest.mark.row("B1", "B10")
def test_a_folder_in_the_place_of_the_login(builder: Builder) -> None:
    file = "/root/.docker/config.json"
    builder.says(f"sudo mv {file} /root/kept.json; sudo mkdir {file}")
    try:
        assert gather(builder, "/home/edge/faults")["docker_config"] == "folder"
    finally:
        builder.says(f"sudo rmdir {file}; sudo mv /root/kept.json {file}")
