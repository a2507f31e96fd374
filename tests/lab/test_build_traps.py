"""The vendor's tools fail in ways that look like success; the lab's do, too. Each is shown by hand, as a person would run it."""

from __future__ import annotations

import pytest
from build_hand import REGISTRY, Builder, read_iso
from lab_hand import LabHand

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def builder(lab: LabHand) -> Builder:
    lab.client.power("reset", "builder")
    return Builder(lab, "/home/edge/traps")


def earthly(builder: Builder, place: str, target: str, before: str = "true") -> tuple[int, str]:
    """Run the vendor's script with a target and return exit code and output."""
    done = builder.run(f"cd {place} && {before}; sudo ./earthly.sh {target} 2>&1")
    return done.code, done.out


@pytest.mark.row("B10")
@pytest.mark.parametrize(("tag", "code"), [("v4.5.15", 0), ("v4.5.10", 1), ("v4.7.9", 1)])
def test_a_failed_build_ends_with_0_at_some_tags(builder: Builder, tag: str, code: int) -> None:
    place = builder.checkout(tag)
    ended, text = earthly(builder, place, "+build-provider-images", "sed -i s/1.31.0/1.99.0/ .arg")
    assert "1.99.0 is not in k8s_version.json" in text
    assert (ended, "system.peVersion" in text) == (code, code == 0)


@pytest.mark.row("B8", "B9")
def test_without_user_data_an_iso_is_made_that_knows_nothing(builder: Builder) -> None:
    place = builder.checkout()
    code, text = earthly(builder, place, "+iso")
    assert (code, "user-data file does not exist." in text) == (0, True)
    assert "config.yaml" not in read_iso(builder.fetched(f"{place}/build/by-hand.iso")).files
    assert "system.peVersion" not in text, "no manifest for this target"
    code, text = earthly(builder, place, "+validate-user-data")
    assert (code, "user-data file does not exist." in text, "Validation successful" in text) == (0, True, False)
    assert builder.says(f"stat -c %U {place}/build/by-hand.iso") == "root"
    assert builder.says(f"cd {place}/build && sha256sum -c by-hand.iso.sha256") == "by-hand.iso: OK"


@pytest.mark.row("B9")
def test_validation_says_what_it_thinks_and_ends_with_0(builder: Builder) -> None:
    place = builder.checkout()
    write = "printf '#cloud-config\\nstylus:\\n  registryCredentials:\\n    password: %s\\n' '{}' >user-data"
    code, text = earthly(builder, place, "+validate-user-data", write.format("####"))
    assert (
        "Error: invalid JSON: stylus.registryCredentials.password: Invalid type. Expected: string, given: null" in text
    )
    assert code == 0, "the script does not notice"
    code, text = earthly(builder, place, "+validate-user-data", write.format("secret"))
    assert "level=info" in text and "Validation successful" in text
    _, text = earthly(builder, place, "+iso", write.format("####"))
    assert "Invalid type" in text and builder.run(f"ls {place}/build/by-hand.iso").code != 0


@pytest.mark.row("B7")
def test_a_line_at_the_end_of_the_dockerfile_is_lost(builder: Builder) -> None:
    place = builder.checkout()
    _, text = earthly(builder, place, "+iso", "echo 'RUN touch /srv/lost' >>Dockerfile")
    assert "RUN touch" not in text
    _, text = earthly(builder, place, "+iso", "printf '\\nRUN touch /srv/kept\\n' >>Dockerfile")
    assert "RUN touch /srv/kept" in text


@pytest.mark.row("B1", "B10")
def test_a_missing_login_becomes_a_folder(builder: Builder) -> None:
    place, file = builder.checkout(), "/root/.docker/config.json"
    try:
        earthly(builder, place, "+validate-user-data", f"sudo mv {file} /root/kept.json")
        assert builder.says(f"sudo stat -c %F {file}") == "directory"
        done = builder.run(f"sudo docker push {REGISTRY}/ubuntu:any 2>&1; sudo docker tag none/x:y a/b:c 2>&1")
        assert done.code != 0
    finally:
        builder.says(f"sudo rm -rf {file}; sudo mv /root/kept.json {file}")
    builder.says(
        f"cd {place} && git checkout -q v4.7.9 && sudo mv {file} /root/kept.json && sudo ./earthly.sh +validate-user-data"
    )
    assert builder.run(f"sudo ls {file}").code != 0, "newer tags mount it where it is"
    builder.says(f"sudo mv /root/kept.json {file}")


@pytest.mark.row("B6", "B10")
def test_the_proxy_path_needs_a_terminal(builder: Builder) -> None:
    place = builder.checkout()
    builder.says(
        f"cd {place} && cp /usr/local/share/ca-certificates/lab-public.crt certs/one.crt && cp certs/one.crt certs/two.pem"
    )
    trusts = "sudo docker image inspect palette-installer-image:v4.5.15-eks-hybrid --format '{{json .Config}}'"
    code, text = earthly(builder, place, "+iso-image")
    assert (code, "the input device is not a TTY" in text) == (0, True)
    assert '"lab.buildkitTrusts": ""' in builder.says(trusts)
    done = builder.run(f"cd {place} && script -qefc 'sudo ./earthly.sh +iso-image' /dev/null </dev/null")
    assert "1 added" in done.out, "nothing but *.crt is taken up"
    assert '"lab.buildkitTrusts": "one.crt"' in builder.says(trusts)


@pytest.mark.row("B11")
def test_an_empty_tag_makes_an_image_that_the_manifest_does_not_name(builder: Builder) -> None:
    place = builder.checkout()
    code, text = earthly(builder, place, "+build-provider-images", "sed -i s/^CUSTOM_TAG=.*/CUSTOM_TAG=/ .arg")
    assert code == 0 and "system.customTag: \n" in text
    images = builder.says("sudo docker images --format '{{.Repository}}:{{.Tag}}'").split()
    assert f"{REGISTRY}/ubuntu:nodeadm-1.31.0-v4.5.15" in images


@pytest.mark.row("B3", "B11")
def test_the_manifest_names_the_tag_and_the_image_the_agent(builder: Builder) -> None:
    place = builder.checkout("v4.10.0")
    _, text = earthly(builder, place, "+build-all-images")
    assert "system.peVersion: v4.10.0\n" in text
    assert f"{REGISTRY}/ubuntu:nodeadm-1.31.0-v4.9.21-eks-hybrid is there" in text


@pytest.mark.row("B4")
def test_another_architecture_makes_no_iso_and_no_error(builder: Builder) -> None:
    place = builder.checkout("v4.7.9")
    code, text = earthly(builder, place, "+iso", "sed -i s/^ARCH=.*/ARCH=x86_64/ .arg")
    assert (code, "Error" in text) == (0, False)
    assert builder.run(f"ls {place}/build").code != 0


@pytest.mark.row("B13")
def test_who_is_not_logged_in_cannot_push(builder: Builder) -> None:
    place = builder.checkout()
    earthly(builder, place, "+build-provider-images")
    image = f"{REGISTRY}/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
    done = builder.run(f"sudo mkdir -p /tmp/none; sudo DOCKER_CONFIG=/tmp/none docker push {image}")
    assert (done.code, done.err.strip()) == (1, "no basic auth credentials")
    wrong = "echo wrong | sudo DOCKER_CONFIG=/tmp/none docker login registry.lab.internal -u builder --password-stdin"
    assert "unauthorized: authentication required" in builder.run(wrong).err
    password = builder.lab.site.secrets["registryPassword"]
    login = "sudo DOCKER_CONFIG=/tmp/none docker login registry.lab.internal -u builder --password-stdin"
    assert builder.run(login, password).out.strip() == "Login Succeeded"
    assert "digest: sha256:" in builder.says(f"sudo DOCKER_CONFIG=/tmp/none docker push {image}")


def test_a_new_disk_has_no_images_of_the_old_one(lab: LabHand, builder: Builder) -> None:
    assert builder.says("sudo docker images -q")
    lab.client.power("reset", "builder")
    builder.disconnect()
    assert builder.says("sudo docker images -q") == ""
