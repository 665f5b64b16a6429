"""Whom local mode's Prometheus scrapes."""

from __future__ import annotations

import json
from pathlib import Path

from slipway_cli.local.endpoints import Endpoints
from slipway_cli.local.layout import Layout
from slipway_cli.local.targets import ENGINES, GATEWAY, remove_targets, targets, write_targets

ALL = {"ray", "controller", "gateway-0", "gateway-1", "worker"}
ENDPOINTS = Endpoints(
    host="0.0.0.0",
    gateway=8000,
    serve=8100,
    dashboard=8265,
    gcs=6379,
    worker=8090,
    gateways=(8093, 8094),
    operator=8091,
    engines=8092,
)
STATE = ENDPOINTS.state(dsn="postgresql://x", home="/home/x")


def addresses(living: set[str]) -> dict[str, list[str]]:
    return {
        job: [address for group in groups for address in group["targets"]]
        for job, groups in targets(STATE, living).items()
    }


def test_every_process_has_an_address_of_its_own() -> None:
    found = addresses(ALL)
    assert found == {
        "slipway-gateway": ["127.0.0.1:8093", "127.0.0.1:8094"],
        "slipway-operator": ["127.0.0.1:8091"],
        "slipway-worker": ["127.0.0.1:8090"],
        "slipway-engines": ["127.0.0.1:8092"],
    }
    assert targets(STATE, ALL)[GATEWAY][1]["labels"] == {"job": GATEWAY, "process": "gateway-1"}


def test_who_has_ended_is_not_scraped() -> None:
    assert addresses(ALL - {"gateway-0", "ray"})[GATEWAY] == ["127.0.0.1:8094"]
    assert addresses(ALL - {"ray"})[ENGINES] == []


def test_a_platform_of_an_older_release_has_what_it_has() -> None:
    old = STATE.model_copy(
        update={"gateway_urls": (), "operator_url": None, "engines_url": None},
    )
    assert Endpoints.of(old).gateways == ()
    assert {job for job, groups in targets(old, ALL).items() if groups} == {"slipway-worker"}


def test_endpoints_are_found_again_in_the_state() -> None:
    assert Endpoints.of(STATE) == ENDPOINTS


def test_files_are_whole_and_leave_with_the_platform(tmp_path: Path) -> None:
    folder = Layout(tmp_path).targets
    write_targets(folder, targets(STATE, ALL))
    file = folder / "slipway-gateway.json"
    assert len(json.loads(file.read_text())) == 2
    before = file.stat().st_mtime_ns
    write_targets(folder, targets(STATE, ALL))
    assert file.stat().st_mtime_ns == before
    write_targets(folder, targets(STATE, set()))
    assert json.loads(file.read_text()) == []
    (folder / "mine.json").write_text("[]")
    remove_targets(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.json"]
