"""What a site makes of the exports of its network stack, and what it says when they do not serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.errors import EdgeError, FactsError, SettingsError
from edge.facts import UNKNOWN
from edge.network import NetworkFacts
from edge.network_outputs import FORM, network_outputs, site_facts
from edge.settings.network import StackNetwork
from edge.settings.site import SiteNetworks
from tests.unit.network_stacks import FACTS, SITES


def outputs(facts: NetworkFacts = FACTS, **changes: Any) -> dict[str, Any]:
    found = network_outputs(facts, {name: SiteNetworks.model_validate(one) for name, one in SITES.items()})
    return {key: value for key, value in (found | changes).items() if value is not None}


def of_site(given: dict[str, Any], site: str = "plant", region: str = "eu-central-1", **written: Any) -> NetworkFacts:
    network = StackNetwork.model_validate({"source": "stack", "stack": "plants-dev", **written})
    return site_facts(given, site=site, region=region, stack="plants-dev", network=network)


def refused(given: dict[str, Any], **options: Any) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        of_site(given, **options)
    assert str(caught.value).startswith("network stack plants-dev: ")
    return caught.value


@pytest.mark.row("C2")
def test_a_site_gets_its_own_networks_and_hears_of_the_others() -> None:
    facts = of_site(outputs(), "harbour")
    assert facts.remote_node_cidrs == ("10.201.0.0/16",)
    assert facts.remote_pod_cidrs == ("192.168.128.0/17",)
    assert facts.other_sites == ("plant 10.200.0.0/16", "plant 192.168.0.0/17")
    own = {"remote_node_cidrs": (), "remote_pod_cidrs": (), "other_sites": ()}
    assert replace(facts, **own) == replace(FACTS, **own)


@pytest.mark.row("C2")
def test_numbers_come_back_from_the_engine_as_floats() -> None:
    assert of_site(outputs(form=float(FORM))) == of_site(outputs())


@pytest.mark.row("C2")
def test_what_a_site_writes_about_itself_wins() -> None:
    facts = of_site(outputs(), privatePath=True, inboundResolvers=["10.100.0.2", "10.100.1.2"])
    assert facts.private_path
    assert facts.inbound_resolvers == ("10.100.0.2", "10.100.1.2")
    assert of_site(outputs(replace(FACTS, private_path=True))).private_path
    assert not of_site(outputs(replace(FACTS, private_path=True)), privatePath=False).private_path


@pytest.mark.row("C2")
def test_the_credential_provider_is_the_clusters() -> None:
    anywhere = outputs(replace(FACTS, credential_provider="iamRolesAnywhere"))
    assert of_site(anywhere).credential_provider == "iamRolesAnywhere"
    assert of_site(anywhere, credentialProvider="iamRolesAnywhere") == of_site(anywhere)
    error = refused(anywhere, credentialProvider="ssm")
    assert "site.network.credentialProvider: is not that of the network stack plants-dev" in str(error)
    assert "(got 'ssm'). Remove it" in str(error)


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "it exports nothing: it was never deployed, or destroyed. Remedy: run `pulumi up` for it."),
        ({"hosts": {"a": {}}}, "it exports nothing"),
        (outputs(kind="site"), "it is of kind site, not network. Remedy: name a stack of kind network as"),
        (outputs(kind=None), "it is of kind nothing, not network"),
        (outputs(form=None), "its exports have the form none, but this program reads form 1. Remedy: run `pulumi up`"),
        (outputs(form=2), "its exports have the form 2, but this program reads form 1. Remedy: use the version"),
        (outputs(network=None), "its output 'network' has no value, as after a run that failed."),
        (outputs(sites=None), "its output 'sites' has no value, as after a run that failed."),
        (outputs(sites={"plant": {}}), "its output 'sites' has no networks for plant."),
        (outputs(network=UNKNOWN), "its last run failed and left values without an answer."),
        (outputs(network=FACTS.to_dict() | {"vpc_cidrs": [UNKNOWN]}), "its last run failed"),
        (outputs(network={"region": "eu-central-1"}), "no partition, no cluster_name, no cluster_endpoint"),
    ],
)
def test_exports_that_do_not_serve_are_one_sentence(given: dict[str, Any], words: str) -> None:
    error = refused(given)
    assert isinstance(error, FactsError)
    assert words in str(error)
    assert str(error).count("Remedy: ") == 1


@pytest.mark.row("C2")
def test_everything_that_does_not_fit_the_site_is_said_at_once() -> None:
    error = refused(outputs(), site="dock", region="eu-west-1", credentialProvider="iamRolesAnywhere")
    assert isinstance(error, SettingsError)
    assert [one.where for one in error.findings] == [
        "site.network.region",
        "site.name",
        "site.network.credentialProvider",
    ]
    assert "which is eu-central-1" in error.findings[0].problem
    assert "which has harbour, plant" in error.findings[1].problem
    assert "Add `dock:`" in error.findings[1].remedy
    assert "Pulumi.plants-dev.yaml" in error.findings[1].remedy
