"""Everything that an edge host must reach, or be reached by, derived from the facts of the network."""

from __future__ import annotations

from edge.endpoints.model import Endpoint, EndpointQuery, Phase
from edge.endpoints.noproxy import no_proxy
from edge.endpoints.private import private_names
from edge.endpoints.table import cilium_features, endpoint_table, query_for, to_tsv

__all__ = [
    "Endpoint",
    "EndpointQuery",
    "Phase",
    "cilium_features",
    "endpoint_table",
    "no_proxy",
    "private_names",
    "query_for",
    "to_tsv",
]
