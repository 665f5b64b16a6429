"""``kubectl apply`` of wrong manifests: refused at once, with the field and what would be right.

``slipway apply`` reads the same texts: what the API server refuses, it must refuse too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl import Kubectl
from wrong_manifest import GOOD, Wrong
from wrong_manifests import KEY_TWICE, SECOND, WRONG

from slipway_cli.errors import InvalidInput
from slipway_cli.manifests import read_manifests


def test_the_table_is_long_enough_and_its_ids_differ() -> None:
    ids = [row.id for row in (*WRONG, *SECOND)]
    assert len(set(ids)) == len(ids) >= 40


@pytest.mark.parametrize("wrong", WRONG, ids=[row.id for row in WRONG])
def test_kubectl_apply_is_refused(kubectl: Kubectl, wrong: Wrong) -> None:
    said = kubectl.refused("apply", "--validate=strict", "-f", "-", body=wrong.text)
    for part in wrong.says:
        assert part in said


@pytest.mark.parametrize("wrong", SECOND, ids=[row.id for row in SECOND])
def test_a_forbidden_change_is_refused(kubectl: Kubectl, wrong: Wrong) -> None:
    kubectl.said("apply", "--validate=strict", "-f", "-", body=GOOD)
    said = kubectl.refused("apply", "--validate=strict", "-f", "-", body=wrong.text)
    for part in wrong.says:
        assert part in said
    kubectl.said("apply", "--validate=strict", "-f", "-", body=GOOD)


@pytest.mark.parametrize("wrong", WRONG, ids=[row.id for row in WRONG])
def test_slipway_apply_is_refused(tmp_path: Path, wrong: Wrong) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(wrong.text, "utf-8")
    with pytest.raises(InvalidInput) as refused:
        read_manifests([str(file)])
    assert str(file) in str(refused.value)


def test_slipway_apply_refuses_what_kubectl_lets_pass(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(KEY_TWICE.text, "utf-8")
    with pytest.raises(InvalidInput, match=KEY_TWICE.says[0]):
        read_manifests([str(file)])
