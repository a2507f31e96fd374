"""The four sources of the AWS side: the same outputs and the same hosts, and no host at all while the facts are wrong."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from components.errors import ProgramError
from components.testing import OUTPUTS, Recording
from edge.errors import FactsError, SettingsError
from edge.facts import UNKNOWN
from edge.network import NetworkFacts
from edge.network_outputs import network_outputs
from edge.settings.site import SiteNetworks
from tests.conftest import ROOT
from tests.programs.network_programs import (
    FACTS,
    NETWORKS,
    REFERENCE,
    SITES,
    MadeNetwork,
    exports_of,
    made,
    network_of,
    of_hosts,
    run,
    site_of,
)

__all__ = ["made"]
SOURCES = tuple(NETWORKS)
CLAIM = "pulumi-python:dynamic/edge:EdgeHostClaim"
WRONG = replace(FACTS, remote_node_cidrs=("10.201.0.0/16",), auth_mode="CONFIG_MAP")


def outputs(facts: NetworkFacts = FACTS) -> dict[str, Any]:
    return network_outputs(facts, {name: SiteNetworks.model_validate(one) for name, one in SITES.items()})


def of(source: str, **options: Any) -> Recording:
    return run(site_of(source), exports=outputs() if source == "stack" else None, **options)


@functools.cache
def given(*, preview: bool = False) -> Recording:
    return of("given", preview=preview)


@pytest.mark.row("C2")
@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_outputs(made: type[MadeNetwork], source: str) -> None:
    exports = of(source).exports
    assert exports["network"] == FACTS.to_dict()
    assert exports["firewall"] == given().exports["firewall"]
    assert exports["firewall"]


@pytest.mark.row("C2", "C4")
@pytest.mark.parametrize(
    ("source", "preview"),
    [("lookup", False), ("stack", False), ("managed", False), ("lookup", True), ("stack", True)],
)
def test_every_source_leads_to_the_same_hosts(made: type[MadeNetwork], source: str, *, preview: bool) -> None:
    """Type, name, inputs, parent and options of everything on a host; in a preview where the facts are known, too."""
    found, wanted = of_hosts(of(source, preview=preview)), of_hosts(given(preview=preview))
    assert found.keys() == wanted.keys()
    assert len(found) > 10
    for name, one in found.items():
        assert one == wanted[name]


@pytest.mark.row("C2", "C4")
@pytest.mark.parametrize("source", ["lookup", "stack", "managed"])
def test_a_preview_without_the_facts_registers_the_same(made: type[MadeNetwork], source: str) -> None:
    unknown = run(site_of(source), facts=None, preview=True)
    names = {(one.type, one.name, one.parent) for one in unknown.resources}
    assert names == {(one.type, one.name, one.parent) for one in of(source).resources}
    assert UNKNOWN not in str(unknown.get("plant-a-claim").inputs)
    assert unknown.get("plant-a-claim").inputs == given(preview=True).get("plant-a-claim").inputs


@pytest.mark.row("C2", "C4")
def test_the_table_of_a_host_is_unknown_at_a_preview_and_real_at_the_update(made: type[MadeNetwork]) -> None:
    assert not isinstance(run(site_of("managed"), preview=True).get("plant-a-checks").plain("stdin"), str)
    assert "10.100.0.10" in of("managed").get("plant-a-checks").plain("stdin")


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("source", "waits"), [("stack", "plant-network-stack"), ("managed", "plant-network-managed-cluster")]
)
@pytest.mark.parametrize("preview", [False, True])
def test_a_claim_waits_for_where_the_facts_come_from(
    made: type[MadeNetwork], source: str, waits: str, *, preview: bool
) -> None:
    """Also while they are not known: a network that fails must keep the hosts from being made."""
    recording = run(site_of(source), exports=outputs() if source == "stack" else None, preview=preview)
    for host in ("plant-a", "plant-b"):
        claim = recording.get(f"{host}-claim")
        assert waits in claim.dependencies
        assert waits not in [name for names in claim.property_dependencies.values() for name in names]


@pytest.mark.row("C2")
@pytest.mark.parametrize("preview", [False, True])
def test_wrong_facts_of_a_network_stack_stop_before_any_host(*, preview: bool) -> None:
    recording = Recording()
    exports = outputs(WRONG) | {"sites": {"plant": {"remote_node_cidrs": ["10.201.0.0/16"], "remote_pod_cidrs": []}}}
    with pytest.raises(ProgramError) as caught:
        run(site_of("stack"), exports=exports, preview=preview, recording=recording)
    text = str(caught.value)
    assert "site.hosts.plant-a.address" in text
    assert "site.hosts.plant-b.address" in text
    assert "network stack plants-dev: authMode" in text
    assert "aws eks" not in text
    assert [one.name for one in recording.resources if one.custom and one.type != REFERENCE] == []


@pytest.mark.row("C2")
def test_wrong_facts_of_objects_made_here_stop_before_any_host(
    made: type[MadeNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "told", WRONG)
    recording = Recording()
    with pytest.raises(ProgramError, match=r"site\.hosts\.plant-a\.address(.|\n)*site\.hosts\.plant-b\.address"):
        run(site_of("managed"), recording=recording)
    assert CLAIM not in [one.type for one in recording.resources]


@pytest.mark.row("C2")
def test_wrong_answers_of_aws_stop_before_anything_is_registered() -> None:
    recording = Recording()
    with pytest.raises(ProgramError) as caught:
        run(site_of("lookup"), facts=WRONG, recording=recording)
    assert recording.resources == []
    assert isinstance(caught.value.error, SettingsError)
    assert len(caught.value.error.findings) == 3


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": None, "form": None, "network": None, "sites": None}, "it exports nothing"),
        ({"kind": "site"}, "it is of kind site, not network"),
        ({"form": None}, "the form none, but this program reads form 1"),
        ({"form": 2}, "the form 2, but this program reads form 1"),
        ({"network": None}, "its output 'network' has no value, as after a run that failed"),
        ({"network": {"region": "eu-central-1"}}, "no cluster_name"),
        ({"network": FACTS.to_dict() | {"region": "eu-west-1"}}, "site.network.region"),
        ({"sites": {"harbour": {"remote_node_cidrs": [], "remote_pod_cidrs": []}}}, "which has harbour"),
        ({"network": UNKNOWN}, "its output 'network' has no value, as after a run that failed"),
    ],
)
def test_a_network_stack_that_does_not_serve_is_one_clear_message(change: dict[str, Any], words: str) -> None:
    recording = Recording()
    exports = {key: value for key, value in (outputs() | change).items() if value is not None}
    with pytest.raises(ProgramError, match="network stack plants-dev") as caught:
        run(site_of("stack"), exports=exports, recording=recording)
    assert words in str(caught.value)
    assert isinstance(caught.value.error, FactsError | SettingsError)
    assert CLAIM not in [one.type for one in recording.resources]


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("plants-dev", "organization/edge-hosts/plants-dev"),
        ("other/plants-dev", "organization/other/plants-dev"),
        ("us/other/plants-dev", "us/other/plants-dev"),
    ],
)
def test_the_reference_names_the_stack_in_full(written: str, full: str) -> None:
    site = site_of("stack", network={"source": "stack", "stack": written})
    reference = run(site, exports=outputs()).get("plant-network-stack")
    assert (reference.type, reference.import_id, reference.parent) == (REFERENCE, full, "plant-network")


def test_no_component_waits_for_anything(made: type[MadeNetwork]) -> None:
    for source in SOURCES:
        assert [one.name for one in of(source).resources if not one.custom and one.dependencies] == []


# The network stack itself


@pytest.mark.row("C2")
@pytest.mark.parametrize("source", ["given", "lookup", "managed"])
def test_a_network_stack_exports_what_its_sites_read(made: type[MadeNetwork], source: str) -> None:
    recording = run(network_of(source))
    assert exports_of(recording) == outputs()
    assert {rule["side"] for rule in recording.exports["firewall"]} == {"aws", "site"}
    assert recording.exports["owner"] == "edge-hosts.plants-dev"
    assert [one for one in recording.resources if one.type.startswith("edge-hosts:index:EdgeHost")] == []


@pytest.mark.row("C2")
def test_a_site_that_the_cluster_does_not_know_is_named_with_the_command_that_adds_it() -> None:
    sites = SITES | {"harbour": {"remoteNodeCidrs": ["10.201.0.0/16"], "remotePodCidrs": ["10.202.0.0/16"]}}
    recording = Recording()
    with pytest.raises(ProgramError) as caught:
        run(network_of("lookup", sites), recording=recording)
    text = str(caught.value)
    assert "site.sites.harbour.remoteNodeCidrs[0]" in text
    assert "site.sites.harbour.remotePodCidrs[0]" in text
    assert "aws eks update-cluster-config --region eu-central-1 --name plants --remote-network-config" in text
    assert '"remoteNodeNetworks":[{"cidrs":["10.200.0.0/16","10.201.0.0/16"]}]' in text
    assert '"remotePodNetworks":[{"cidrs":["192.168.0.0/16","10.202.0.0/16"]}]' in text
    assert recording.resources == []


# With the objects that are really made


@pytest.mark.filterwarnings("ignore:aws.* has been deprecated in favor of:DeprecationWarning")
@pytest.mark.row("C2", "C4")
def test_a_site_that_makes_its_own_network_waits_for_all_of_it() -> None:
    """Nothing stands in here: the components of the AWS side register what they would make."""
    cluster = "aws:eks/cluster:Cluster"
    answers = {cluster: {**OUTPUTS[cluster], "endpoint": FACTS.cluster_endpoint}}
    recording, preview = run(site_of("managed"), answers=answers), run(site_of("managed"), preview=True)
    made = {one.name for one in recording.resources if one.custom and one.type.startswith("aws:")}
    assert len(made) > 10
    assert {one.name for one in preview.resources} == {one.name for one in recording.resources}
    for one in (recording, preview):
        waits = set(one.get("plant-a-claim").dependencies)
        assert {"plant-network-managed-cluster", "plant-network-managed-cluster-out-tcp-10250-10.200.0.0/16"} <= waits
        assert [other.name for other in one.resources if not other.custom and other.dependencies] == []
    facts = NetworkFacts.from_dict(recording.exports["network"])
    assert facts.cluster_endpoint == FACTS.cluster_endpoint, "what the cluster itself answers"
    assert (facts.vpc_cidrs, facts.remote_node_cidrs) == (FACTS.vpc_cidrs, FACTS.remote_node_cidrs)
    assert facts.vpc_id


@pytest.mark.row("C2")
def test_a_network_stack_makes_what_it_owns_of_an_existing_cluster() -> None:
    sites = SITES | {"harbour": {"remoteNodeCidrs": ["10.201.0.0/16"], "remotePodCidrs": ["10.202.0.0/16"]}}
    raw = network_of("lookup", sites)
    raw["network"] |= {"identity": {}, "securityGroupRules": True}
    facts = replace(
        FACTS,
        account_id="066635153087",
        remote_node_cidrs=("10.200.0.0/16", "10.201.0.0/16"),
        remote_pod_cidrs=("192.168.0.0/16", "10.202.0.0/16"),
    )
    arn = "arn:aws:iam::066635153087:role/AmazonEKSHybridNodesRole"
    recording = run(raw, facts=facts, answers={"aws:iam/role:Role": {"arn": arn}})
    types = [one.type for one in recording.resources]
    assert types.count("aws:iam/role:Role") == types.count("aws:eks/accessEntry:AccessEntry") == 1
    rules = [one for one in recording.resources if one.type.endswith(":SecurityGroupEgressRule")]
    assert {one.plain("cidrIpv4") for one in rules} >= {"10.200.0.0/16", "10.201.0.0/16"}
    assert not [one for one in types if one.endswith(":SecurityGroupIngressRule")], "EKS makes those itself"
    assert recording.exports["network"]["hybrid_role_arn"] == arn
    assert recording.get("plants-identity-access-entry").plain("clusterName") == "plants"
    alone = run(network_of("lookup", network=raw["network"]))
    before = {one.name: one.plain("cidrIpv4") for one in alone.resources if one.type.startswith("aws:vpc/")}
    after = {one.name: one.plain("cidrIpv4") for one in rules}
    assert before.items() < after.items(), "another site adds rules and changes none"


@pytest.mark.row("C2", "C7")
def test_the_activation_of_a_site_is_the_sites_own_whatever_the_source() -> None:
    activation = {"source": "given", "id": "12345678-1234-1234-1234-123456789012"}
    recording = run(site_of("stack", activation=activation), exports=outputs())
    assert recording.exports["activation"]["id"] == activation["id"]
    assert of_hosts(recording) == of_hosts(given())


@pytest.mark.row("C2")
def test_a_reference_to_a_stack_that_is_not_there_is_one_sentence() -> None:
    """The engine answers such a reference without outputs, where the SDK's own functions end in a type error."""
    with pytest.raises(ProgramError, match=r"network stack plants-dev: it exports nothing: it was never deployed"):
        run(site_of("stack"), answers={REFERENCE: {"outputs": None, "secretOutputNames": None}})


@pytest.mark.row("C2")
def test_a_secret_among_the_exports_of_the_network_stack_makes_no_fact_a_secret() -> None:
    exports = {**outputs(), "presharedKey": "canary"}
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": exports}
    answers = {REFERENCE: {"outputs": hidden, "secretOutputNames": ["presharedKey"]}}
    recording = run(site_of("stack"), answers=answers)
    assert recording.exports["network"]["cluster_name"] == "plants"
    assert not recording.get("plant-a-checks").is_secret("stdin")
    assert "canary" not in str(recording.exports)


def test_a_program_that_makes_nothing_in_aws_does_not_wait_for_its_sdk() -> None:
    code = "import sys; import components.network_stack, components.site; print('pulumi_aws' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
