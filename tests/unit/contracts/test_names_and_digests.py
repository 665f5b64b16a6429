"""Child names, attempt ids and artifact digests: several processes must agree on them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.artifact import ArtifactFile, Lineage, Manifest
from slipway_contracts.names import RAY_SERVICE_NAME_LIMIT, attempt_id, child_name

NAMES = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
KINDS = st.sampled_from(["", "train", "eval", "import"])
# RFC 1035: what a Service may be called.
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@given(NAMES, st.uuids(), st.text(max_size=10), KINDS)
def test_a_child_name_is_a_short_dns_label(name: str, uid: object, retry: str, kind: str) -> None:
    child = child_name(name, str(uid), attempt_id(retry), kind)
    assert len(child) <= RAY_SERVICE_NAME_LIMIT
    assert LABEL.fullmatch(child)
    assert child == child_name(name, str(uid), attempt_id(retry), kind)


@given(NAMES, st.uuids())
def test_another_attempt_or_uid_is_another_child(name: str, uid: object) -> None:
    one = child_name(name, str(uid), attempt_id(""))
    assert one != child_name(name, str(uid), attempt_id("again"))
    assert one != child_name(name, f"{uid}x", attempt_id(""))


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = ("a" * 60 + end for end in ("x", "y"))
    assert child_name(first, "uid-1", "1") != child_name(second, "uid-2", "1")


def test_kinds_of_one_version_stay_apart() -> None:
    assert len({child_name("v1", "u", "1", kind) for kind in ("", "train", "eval")}) == 3


def test_names_are_frozen() -> None:
    # A new release must find the children of the old one.
    assert attempt_id("") == "68895a"
    assert child_name("v1", "uid", "a1b2c3") == "v1-b3fcb692"
    assert child_name("v1", "uid", "a1b2c3", "train") == "v1-b3fcb692-train"


def a_manifest(**changes: object) -> Manifest:
    values: dict[str, object] = {
        "kind": "text-generation",
        "architecture": "tiny-llama",
        "files": (ArtifactFile(path="model.safetensors", sha256="0" * 64, size=1),),
        "metrics": {"loss": 1.5, "perplexity": 4.48},
        "lineage": Lineage(seed=1),
        "created_at": "2026-01-01T00:00:00Z",
    }
    return Manifest.model_validate(values | changes)


def test_a_digest_is_stable_over_the_wire_and_over_the_order_of_keys() -> None:
    manifest = a_manifest()
    assert Manifest.model_validate_json(manifest.canonical()).digest() == manifest.digest()
    turned = a_manifest(metrics={"perplexity": 4.48, "loss": 1.5})
    assert turned.digest() == manifest.digest()


def test_a_digest_is_frozen() -> None:
    # Digests are in specs and lineages of people: another serialisation would orphan them all.
    expected = "sha256:a18c799ef75694ffcbca7def0fe90e28c13cde751bbc46b453d5257a2beb4051"
    assert a_manifest().digest() == expected


def test_every_change_changes_the_digest() -> None:
    digests = {
        a_manifest().digest(),
        a_manifest(files=(ArtifactFile(path="m", sha256="0" * 64, size=1),)).digest(),
        a_manifest(
            files=(ArtifactFile(path="model.safetensors", sha256="1" * 64, size=1),)
        ).digest(),
        a_manifest(metrics={"loss": 1.6}).digest(),
        a_manifest(lineage=Lineage(seed=2)).digest(),
    }
    assert len(digests) == 5
