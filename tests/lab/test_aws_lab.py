"""The AWS account of a running lab: it tells of the site that the machines are in, and changes by the lab's own command."""

from __future__ import annotations

import base64
import socket
import ssl
from typing import Any

import botocore.session
import pytest
from lab_hand import LabHand, until

from edge.errors import LabError
from lab.aws.facts import ACCESS_KEY, PORT
from lab.site import REGION

pytestmark = pytest.mark.lab


def _client(lab: LabHand, service: str) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name=REGION,
        endpoint_url=f"http://{lab.site.block.services}:{PORT}",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key="lab",
    )


def _cluster(lab: LabHand) -> dict[str, Any]:
    found: dict[str, Any] = _client(lab, "eks").describe_cluster(name="lab")["cluster"]
    return found


@pytest.mark.row("C2", "A6")
def test_the_api_server_answers_where_aws_says_with_the_authority_that_aws_gives(lab: LabHand) -> None:
    cluster = _cluster(lab)
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificateAuthority"]["data"]).decode())
    name = cluster["endpoint"].removeprefix("https://")
    wanted = [{"Name": "description", "Values": ["Amazon EKS lab"]}]
    found = _client(lab, "ec2").describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert {one["PrivateIpAddress"] for one in found} == {str(address) for address in lab.site.block.enis}
    for interface in found:
        with (
            socket.create_connection((interface["PrivateIpAddress"], 443), 5) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            tls.sendall(f"GET /version HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert tls.recv(64).startswith(b"HTTP/1.1 401")


def test_every_machine_of_the_site_is_inside_the_remote_node_networks(lab: LabHand) -> None:
    from ipaddress import IPv4Network

    networks = _cluster(lab)["remoteNetworkConfig"]["remoteNodeNetworks"]
    blocks = [IPv4Network(cidr) for network in networks for cidr in network["cidrs"]]
    for plan in lab.site.plans:
        assert any(plan.address in block for block in blocks), plan.name


def test_the_command_of_the_lab_changes_the_account_and_puts_it_back(lab: LabHand) -> None:
    before = _cluster(lab)["resourcesVpcConfig"]
    lab.ok("fault", "aws-endpoint", "--host", "publicAndPrivate")
    assert _cluster(lab)["resourcesVpcConfig"] == {
        **before,
        "endpointPublicAccess": True,
        "publicAccessCidrs": ["0.0.0.0/0"],
    }
    assert "aws-endpoint" in lab.ok("status")
    lab.ok("fault", "--clear")
    assert _cluster(lab)["resourcesVpcConfig"] == before
    assert "write private, public or publicAndPrivate" in lab.run("fault", "aws-endpoint", "--host", "open").stderr


def test_a_machine_registers_and_the_account_can_be_made_as_new(lab: LabHand) -> None:
    ssm = _client(lab, "ssm")
    node = lab.client.aws("register", computer="bare", address=str(lab.site.plan("bare").address))
    found = ssm.describe_instance_information()["InstanceInformationList"]
    assert [(one["InstanceId"], one["ComputerName"]) for one in found] == [(node, "bare")]
    lab.client.aws("reset")
    assert ssm.describe_instance_information()["InstanceInformationList"] == []
    with pytest.raises(LabError, match="AWS has no action"):
        lab.client.aws("register", computer="bare")
    until(lambda: lab.client.status()["phase"] == "ready", 5, "the lab goes on")
