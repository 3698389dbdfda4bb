"""The edge's routes: which calls are asked again, and how long they may take."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.gateway.callers.authentication import REQUIRED_ROLE
from tests.laptop import ROOT

JOBS = "/scic.gateway.v1.JobService"
NOT_REPEATED = {"/scic.gateway.v1.CorpusService/IngestDocuments", f"{JOBS}/WatchJob", f"{JOBS}/ReplayJob"}


def route_of(method: str) -> dict[str, Any]:
    """The route by which a gRPC call of this path goes."""
    config = yaml.safe_load((ROOT / "envoy" / "edge.yaml").read_text(encoding="utf-8"))
    (edge,) = [one for one in config["static_resources"]["listeners"] if one["name"] == "edge"]
    manager = edge["filter_chains"][0]["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    return next(
        route["route"]
        for route in routes
        if "grpc" in route["match"]
        and (route["match"].get("path") == method or method.startswith(route["match"].get("prefix", "no prefix")))
    )


@pytest.mark.parametrize("method", REQUIRED_ROLE)
def test_a_call_is_asked_again_unless_a_second_one_would_differ(method: str) -> None:
    assert ("retry_policy" in route_of(method)) == (method not in NOT_REPEATED)
    assert route_of(method)["cluster"] == "gateway"


@pytest.mark.parametrize("method", REQUIRED_ROLE)
def test_a_call_ends_within_a_minute_unless_it_is_a_stream_which_ends_when_nothing_comes(method: str) -> None:
    route = route_of(method)
    if method in NOT_REPEATED - {f"{JOBS}/ReplayJob"}:
        assert "max_stream_duration" not in route
        assert route["idle_timeout"] in {"300s", "3600s"}
    else:
        assert route["max_stream_duration"] == {"max_stream_duration": "60s", "grpc_timeout_header_max": "60s"}


@pytest.mark.parametrize("method", sorted(REQUIRED_ROLE.keys() - NOT_REPEATED))
def test_another_gateway_is_asked_for_what_one_has_not_unless_all_share_what_is_away(method: str) -> None:
    shared = method.startswith((JOBS, "/scic.gateway.v1.CacheService"))
    assert ("unavailable" in route_of(method)["retry_policy"]["retry_on"].split(",")) != shared
