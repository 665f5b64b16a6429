"""Every Dockerfile keeps the rules that the cluster relies on: user, locks, stages, addresses."""

import json
import re
from pathlib import Path

import pytest

from slipway_images.catalog import DOCKERFILES, ROOT, VARIANTS

PYTHON = [name for name in DOCKERFILES if name != "postgres"]
MODULES = {
    "operator": "slipway_operator",
    "gateway": "slipway_gateway",
    "worker": "slipway_worker",
    "engine": "slipway_engine.head",
    "training": "slipway_training",
}
COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|build-essential|python3-dev|cmake|cargo)\b")


def instructions(name: str) -> list[str]:
    """The Dockerfile without comments, one string an instruction."""
    text = (ROOT / DOCKERFILES[name]).read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def final_stage(name: str) -> list[str]:
    """What the image itself is made by: its last stage and the stages that one starts from."""
    stages: dict[str, list[str]] = {}
    base, current = "", ""
    for line in instructions(name):
        if line.startswith("FROM "):
            base, _, current = line.removeprefix("FROM ").partition(" AS ")
            stages[current] = list(stages.get(base, ()))
        elif current in stages:
            stages[current].append(line)
    return stages[current]


@pytest.mark.parametrize("name", DOCKERFILES)
class TestEvery:
    def test_starts_from_one_argument(self, name: str) -> None:
        given = instructions(name)
        assert given[0] == "ARG BASE=docker.io/library/debian:12-slim"
        stages = [line.partition(" AS ")[2] for line in given if line.startswith("FROM ")]
        bases = [line.split()[1] for line in given if line.startswith("FROM ")]
        assert [base for base in bases if base not in stages] == ["${BASE}"]

    def test_runs_as_the_numeric_user(self, name: str) -> None:
        users = [line for line in final_stage(name) if line.startswith("USER ")]
        assert users == ["USER 65532:65532"]

    def test_has_an_entrypoint_in_exec_form(self, name: str) -> None:
        entry = [line for line in final_stage(name) if line.startswith("ENTRYPOINT ")]
        words = ["python", "-m", MODULES[name]] if name in MODULES else ["slipway-postgres"]
        assert entry == [f"ENTRYPOINT {json.dumps(words)}"]

    def test_installs_no_compiler(self, name: str) -> None:
        # Triton, in the CUDA variants only, needs one at run time.
        compiling = [line for line in final_stage(name) if COMPILERS.search(line)]
        assert all(line.startswith("RUN case ${LOCK} in *-gpu)") for line in compiling)
        assert len(compiling) == (name in VARIANTS)

    def test_names_no_index_and_no_address(self, name: str) -> None:
        text = (ROOT / DOCKERFILES[name]).read_text()
        assert "://" not in text
        assert "index-url" not in text

    def test_leaves_no_package_lists(self, name: str) -> None:
        updates = [line for line in final_stage(name) if "apt-get update" in line]
        assert all("rm -rf /var/lib/apt/lists/*" in line for line in updates)
        assert all("--no-install-recommends" in line for line in updates)

    def test_labels_itself(self, name: str) -> None:
        labels = "".join(line for line in final_stage(name) if line.startswith("LABEL "))
        for label in ("title", "description", "licenses", "version"):
            assert f"org.opencontainers.image.{label}=" in labels

    def test_home_is_the_one_writable_folder(self, name: str) -> None:
        assert any("HOME=/tmp" in line for line in final_stage(name) if line.startswith("ENV "))


@pytest.mark.parametrize("name", PYTHON)
class TestPython:
    def test_installs_what_the_locks_hash_and_wheels_only(self, name: str) -> None:
        third_party = [
            command
            for line in instructions(name)
            for command in line.split("&&")
            if " install " in command and "--requirement" in command
        ]
        assert len(third_party) >= 2
        for command in third_party:
            assert "--require-hashes --no-deps" in command
            assert "--only-binary :all:" in command

    def test_installs_nothing_else_but_our_own(self, name: str) -> None:
        own = [
            line
            for line in instructions(name)
            if "uv pip install" in line and "--requirement" not in line
        ]
        assert len(own) == 1
        assert "--no-build-isolation" in own[0]
        assert " -e " not in own[0]
        assert {word for word in own[0].split() if word.startswith("/src/")} == {
            f"/src/{line.split()[1]}"
            for line in instructions(name)
            if line.startswith("COPY ") and line.split()[2].startswith("/src/")
        }

    def test_the_installer_is_mounted_not_copied(self, name: str) -> None:
        image = final_stage(name)
        assert not [line for line in image if line.startswith("COPY --from=tools /opt/tools")]
        for line in image:
            if "/opt/tools/bin" in line:
                assert "--mount=type=bind,from=tools,source=/opt/tools" in line
        assert not [line for line in image if "python3-venv" in line or "pip3" in line]

    def test_shared_stages_read_the_same(self, name: str) -> None:
        # The same words give the same cached layers: one `runtime` and one `tools` for all.
        def stages(of: str) -> list[str]:
            lines = instructions(of)
            return lines[: next(i for i, x in enumerate(lines) if x.startswith("FROM tools AS "))]

        assert stages(name) == stages("operator")

    def test_code_comes_last(self, name: str) -> None:
        made = [
            line.split()[0:2] for line in final_stage(name) if line.split()[0] in ("RUN", "COPY")
        ]
        assert made[-1] == ["COPY", "--from=distributions"]


def test_engine_and_training_share_the_layer_of_torch() -> None:
    def torch(name: str) -> list[str]:
        lines = instructions(name)
        start = lines.index("FROM runtime AS torch")
        return lines[start : lines.index("FROM torch")]

    assert torch("engine") == torch("training")


@pytest.mark.parametrize("name", ["engine", "engine-gpu", "training", "training-gpu"])
def test_variants_keep_the_torch_that_lies_below(name: str) -> None:
    def pins(lock: str) -> dict[str, str]:
        text = (ROOT / f"requirements/{lock}.txt").read_text()
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    below, above = pins("torch"), pins(name)
    heavy = [package for package in below if package.startswith("nvidia-") or package == "torch"]
    assert {package: above.get(package) for package in heavy} == {
        package: below[package] for package in heavy
    }


def test_locks_name_no_index() -> None:
    for lock in Path(ROOT / "requirements").glob("*.txt"):
        assert "index-url" not in lock.read_text(), lock.name
