"""An AWS account in memory: moto, and by hand what moto lacks. For the tests of the reads.

moto 5.2.5 has no access entries, no activations, no tunnel telemetry, no propagated routes, and leaves `vpcId`,
`clusterSecurityGroupId` and `accessConfig` out of a cluster. `Account` answers those calls itself; what it answers is
checked by botocore's own model of the operation, so that it cannot answer what AWS could not.
"""

from __future__ import annotations

import base64
import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import xform_name
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from moto import mock_aws

from edge.aws.access import AwsAccess
from edge.aws.read import WantedRole, read_cluster, read_view
from edge.aws.reader import Reader
from edge.aws.session import BotocoreClients
from edge.aws.view import AwsView
from tests.unit.network_samples import CA

REGION, ACCOUNT, OWNER, NAME = "eu-central-1", "123456789012", "edge-hosts.plant-12-prod", "plants-prod"
ROLE = "AmazonEKSHybridNodesRole"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
ACTIVATION = "12345678-abcd-4bcd-8bcd-0123456789ab"
DENIED = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {} on resource: * because no policy allows it"


def entry(principal: str, kind: str = "HYBRID_LINUX", groups: tuple[str, ...] = ("system:nodes",)) -> dict[str, Any]:
    """Return an access entry as EKS shows it."""
    return {"clusterName": NAME, "principalArn": principal, "type": kind, "kubernetesGroups": list(groups)}


class Clients:
    """Clients that tell the account in use (`now`) of every call: making new ones for every test takes too long."""

    def __init__(self) -> None:
        self.now: Account | None = None
        self._inner = BotocoreClients(AwsAccess(region=REGION, access_key="AKIDEXAMPLE", secret_key="example"))
        self._hooked: set[str] = set()
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return a client whose calls are told."""
        with self._lock:
            client = self._inner.client(service)
            if service not in self._hooked:
                self._hooked.add(service)
                client.meta.events.register("provide-client-params", self._values)
                client.meta.events.register("before-call", lambda **event: self._before(service, **event))
                client.meta.events.register("after-call", lambda **event: self._after(service, **event))
        return client

    def _values(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["values"] = copy.deepcopy(params)

    def _before(self, service: str, model: Any, context: dict[str, Any], **_: Any) -> Any:
        assert self.now is not None
        return self.now.answer(service, model, context["values"])

    def _after(self, service: str, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        assert self.now is not None
        self.now.changed(service, model, parsed)


@dataclass
class Account:
    """Clients of an account that is held by moto. `asked` are the IAM actions of all calls, with their values.

    `denied` actions are refused; `answers` stand in for moto, `changes` change its answer; `page` cuts lists into pages
    of that many items.
    """

    vpc: str = ""
    subnets: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=lambda: [entry(ROLE_ARN)])
    activations: list[dict[str, Any]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    changes: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    errors: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[str], None] = lambda action: None
    clients: Clients = field(default_factory=lambda: Clients())

    def __post_init__(self) -> None:
        self.answers |= {
            "eks:ListAccessEntries": lambda _: {"accessEntries": [one["principalArn"] for one in self.entries]},
            "eks:DescribeAccessEntry": self._entry,
            "ssm:DescribeActivations": lambda _: {"ActivationList": self.activations},
        }
        self.changes |= {"eks:DescribeCluster": self._cluster}

    @property
    def region(self) -> str:
        """Return the Region."""
        return REGION

    @property
    def actions(self) -> list[str]:
        """Return the actions that were asked, in their order."""
        return [action for action, _ in self.asked]

    def client(self, service: str) -> Any:
        """Return a client whose calls are seen here."""
        self.clients.now = self
        return self.clients.client(service)

    def answer(self, service: str, model: Any, values: dict[str, Any]) -> Any:
        """Return the answer to a call as botocore wants it of `before-call`, None to leave it to moto."""
        action = f"{service}:{model.name}"
        self.asked.append((action, values))
        self.before(action)
        if action in self.denied:
            code = "UnauthorizedOperation" if service == "ec2" else "AccessDeniedException"
            return _refusal(403, code, DENIED.format(action))
        if action in self.errors:
            return _refusal(*self.errors[action])
        if action not in self.answers:
            return None
        try:
            answer = self.answers[action](values)
        except LookupError:
            return _refusal(404, "ResourceNotFoundException", "There is no such thing.")
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return SimpleNamespace(status_code=200), {**copy.deepcopy(answer), "ResponseMetadata": {}}

    def changed(self, service: str, model: Any, parsed: dict[str, Any]) -> None:
        """Change the answer of moto."""
        if "Error" not in parsed and (change := self.changes.get(f"{service}:{model.name}")):
            change(parsed)

    def _entry(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"accessEntry": {one["principalArn"]: one for one in self.entries}[values["principalArn"]]}

    def _cluster(self, parsed: dict[str, Any]) -> None:
        found = parsed["cluster"]
        found["resourcesVpcConfig"] |= {"vpcId": self.vpc, "clusterSecurityGroupId": self.groups["cluster"]}
        found["accessConfig"] = {"authenticationMode": "API_AND_CONFIG_MAP"}
        found["certificateAuthority"] = {"data": base64.b64encode(CA.encode()).decode()}
        found["logging"] = {"clusterLogging": [{"types": ["audit", "api"], "enabled": True}]}

    def paged(self, action: str, key: str, pages: list[list[Any]], token: str = "NextToken") -> None:
        """Answer one action with several pages."""

        def answer(values: dict[str, Any]) -> dict[str, Any]:
            number = int(values.get(token, "0"))
            more = {token: str(number + 1)} if number + 1 < len(pages) else {}
            if service == "iam":
                more |= {"IsTruncated": bool(more)}
            return {key: pages[number], **more}

        service = action.partition(":")[0]
        self.answers[action] = answer


def _refusal(status: int, code: str, text: str) -> Any:
    parsed = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return SimpleNamespace(status_code=status), parsed


@pytest.fixture(scope="module")
def built() -> Iterator[Account]:
    """Yield an account with a private cluster and everything that a site needs, made once for a module of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a thousand images that nobody here asks for
        with mock_aws():
            made = Account()
            for part in (_network, _cluster, _role, _ways):
                part(made)
            yield made


def account(built: Account, **over: Any) -> Account:
    """Return the account, of which nothing was asked yet, with changes for one test. Nothing in moto may be changed."""
    made = Account(vpc=built.vpc, subnets=built.subnets, groups=built.groups, ids=built.ids, clients=built.clients)
    made.changes["ec2:DescribeVpnConnections"] = _telemetry
    tags = [{"Key": "edge-hosts-owner", "Value": OWNER}, {"Key": "EKSClusterARN", "Value": "x"}]
    made.activations = [
        activation(ACTIVATION, Tags=tags),
        activation("99999999-abcd-4bcd-8bcd-0123456789ab", Tags=[{"Key": "edge-hosts-owner", "Value": "another"}]),
    ]
    for name, value in over.items():
        setattr(made, name, value)
    return made


def activation(id_: str, **over: Any) -> dict[str, Any]:
    """Return an activation as SSM shows it."""
    return {
        "ActivationId": id_,
        "IamRole": f"service-role/{ROLE}",
        "RegistrationLimit": 6,
        "RegistrationsCount": 2,
        "ExpirationDate": datetime(2026, 12, 20, tzinfo=UTC),
        "Expired": False,
        **over,
    }


def _network(made: Account) -> None:
    ec2 = made.client("ec2")
    made.vpc = ec2.create_vpc(CidrBlock="10.100.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=made.vpc, CidrBlock="10.101.0.0/16")
    ec2.modify_vpc_attribute(VpcId=made.vpc, EnableDnsHostnames={"Value": True})
    for number, zone in enumerate("abc"):
        found = ec2.create_subnet(VpcId=made.vpc, CidrBlock=f"10.100.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        made.subnets.append(found["Subnet"]["SubnetId"])
    for name in ("cluster", "extra", "endpoint", "resolver", "foreign"):
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=made.vpc)["GroupId"]
        made.groups[name] = group
    made.ids["list"] = ec2.create_managed_prefix_list(
        PrefixListName="sites", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "10.200.0.0/16"}, {"Cidr": "10.201.0.0/16"}]
    )["PrefixList"]["PrefixListId"]  # fmt: skip
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    lists = {"PrefixListIds": [{"PrefixListId": made.ids["list"]}]}
    ec2.authorize_security_group_ingress(
        GroupId=made.groups["cluster"], IpPermissions=[permission | {"IpRanges": [{"CidrIp": "10.200.0.0/16"}]}]
    )
    ec2.authorize_security_group_ingress(GroupId=made.groups["extra"], IpPermissions=[permission | lists])
    table = ec2.create_route_table(VpcId=made.vpc)["RouteTable"]["RouteTableId"]
    made.ids["table"] = table
    ec2.associate_route_table(RouteTableId=table, SubnetId=made.subnets[0])


def _cluster(made: Account) -> None:
    for number in (0, 1):
        made.client("ec2").create_network_interface(
            SubnetId=made.subnets[number],
            Description=f"Amazon EKS {NAME}",
            Groups=[made.groups["cluster"]],
            PrivateIpAddress=f"10.100.{number}.12",
        )
    made.client("ec2").create_network_interface(SubnetId=made.subnets[2], Description=f"Amazon EKS {NAME}-old")
    made.client("eks").create_cluster(
        name=NAME,
        version="1.31",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/cluster",
        kubernetesNetworkConfig={"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
        resourcesVpcConfig={
            "subnetIds": made.subnets[:2],
            "securityGroupIds": [made.groups["extra"]],
            "endpointPrivateAccess": True,
            "endpointPublicAccess": False,
        },
        remoteNetworkConfig={
            "remoteNodeNetworks": [{"cidrs": ["10.200.0.0/16"]}],
            "remotePodNetworks": [{"cidrs": ["192.168.0.0/16"]}],
        },
    )


def _role(made: Account) -> None:
    iam = made.client("iam")
    allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "%s", "Resource": "*"}]}'
    trust = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
        ' "Principal": {"Service": "ssm.amazonaws.com"}}]}'
    )
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust, MaxSessionDuration=7200)
    iam.put_role_policy(RoleName=ROLE, PolicyName="eks", PolicyDocument=allow % "eks:DescribeCluster")
    policy = iam.create_policy(PolicyName="pull", PolicyDocument=allow % "ecr:GetAuthorizationToken")["Policy"]["Arn"]
    made.ids["policy"] = policy
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=policy)


def _ways(made: Account) -> None:
    """Make gateways with their routes, a VPN, interface endpoints and an inbound resolver."""
    ec2 = made.client("ec2")
    virtual = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpcId=made.vpc, VpnGatewayId=virtual)
    transit = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=transit, VpcId=made.vpc, SubnetIds=made.subnets[:2])
    made.ids |= {"vgw": virtual, "tgw": transit}
    ec2.create_route(RouteTableId=made.ids["table"], DestinationCidrBlock="10.200.0.0/16", GatewayId=virtual)
    customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.1", BgpAsn=65000)["CustomerGateway"]
    for number in (0, 1):
        other = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        gateway = (virtual, other)[number]
        connection = ec2.create_vpn_connection(
            Type="ipsec.1", CustomerGatewayId=customer["CustomerGatewayId"], VpnGatewayId=gateway
        )
        made.ids[("vpn", "vpn of another VPC")[number]] = connection["VpnConnection"]["VpnConnectionId"]
    for service in ("ssm", "ecr.api"):
        ec2.create_vpc_endpoint(
            VpcId=made.vpc,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=made.subnets[:2],
            SecurityGroupIds=[made.groups["endpoint"]],
            PrivateDnsEnabled=True,
        )
    made.client("route53resolver").create_resolver_endpoint(
        CreatorRequestId="one",
        SecurityGroupIds=[made.groups["resolver"]],
        Direction="INBOUND",
        IpAddresses=[{"SubnetId": one, "Ip": f"10.100.{number}.53"} for number, one in enumerate(made.subnets[:2])],
    )


def _telemetry(parsed: dict[str, Any]) -> None:
    for number, one in enumerate(parsed["VpnConnections"]):
        one["VgwTelemetry"] = [
            {"OutsideIpAddress": f"198.51.{100 + number}.2", "Status": "UP", "StatusMessage": ""},
            {"OutsideIpAddress": f"198.51.{100 + number}.1", "Status": "DOWN", "StatusMessage": "IPSEC IS DOWN"},
        ]


def view_of(made: Account, role: WantedRole | None = None, owner: str = OWNER) -> AwsView:
    """Return all that is read of the account."""
    reader = Reader(made)
    return read_view(reader, read_cluster(reader, NAME), role or WantedRole(), owner)


def stubbed(service: str, *answers: tuple[str, dict[str, Any], dict[str, Any]]) -> Reader:
    """Return a reader whose client of a service gives these answers, in their order, to exactly these questions."""
    clients = BotocoreClients(AwsAccess(REGION, access_key="AKIDEXAMPLE", secret_key="example"))
    stub = Stubber(clients.client(service))
    for operation, asked, answer in answers:
        stub.add_response(xform_name(operation), answer, asked)
    stub.activate()
    return Reader(clients)
