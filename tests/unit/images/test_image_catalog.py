"""What an image is made of decides whether it is built again, and nothing else does."""

from pathlib import Path

import pytest

from slipway_images.catalog import DOCKERFILES, ROOT, Image, images
from slipway_images.errors import ImagesError

IMAGE = Image(name="gateway", dockerfile="app/Dockerfile", tag="dev", lock="engine")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text(
        "COPY requirements/${LOCK}.txt requirements/\nCOPY --from=x /y z\nCOPY app /src/app\n"
    )
    (tmp_path / "app/code.py").write_text("1")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/engine.txt").write_text("a==1")
    return tmp_path


def test_sources_are_the_copies_from_the_checkout(checkout: Path) -> None:
    assert IMAGE.sources(checkout) == ["requirements/engine.txt", "app"]


@pytest.mark.parametrize(
    ("path", "text"),
    [("app/code.py", "2"), ("requirements/engine.txt", "a==2"), ("app/new.py", "")],
    ids=["code", "lock", "new file"],
)
def test_a_change_of_what_is_copied_changes_the_key(checkout: Path, path: str, text: str) -> None:
    before = IMAGE.key("base", checkout)
    (checkout / path).write_text(text)
    assert IMAGE.key("base", checkout) != before


def test_another_base_or_tag_changes_the_key(checkout: Path) -> None:
    other = Image(name="gateway", dockerfile="app/Dockerfile", tag="v1", lock="engine")
    keys = {IMAGE.key("base", checkout), IMAGE.key("new", checkout), other.key("base", checkout)}
    assert len(keys) == 3


def test_times_and_what_the_context_leaves_out_do_not(checkout: Path) -> None:
    before = IMAGE.key("base", checkout)
    (checkout / "app/__pycache__").mkdir()
    (checkout / "app/__pycache__/code.pyc").write_text("x")
    (checkout / "elsewhere.txt").write_text("x")
    (checkout / "app/code.py").write_text("1")
    assert IMAGE.key("base", checkout) == before


def test_a_source_that_is_missing_is_named(checkout: Path) -> None:
    (checkout / "requirements/engine.txt").unlink()
    with pytest.raises(ImagesError, match=r"requirements/engine.txt"):
        IMAGE.key("base", checkout)


def test_references_are_fully_qualified() -> None:
    assert [image.reference for image in images([], tag="dev", gpu=False)] == [
        "docker.io/slipway/operator:dev",
        "docker.io/slipway/gateway:dev",
        "docker.io/slipway/worker:dev",
        "docker.io/slipway/postgres:dev",
        "docker.io/slipway/training:dev",
        "docker.io/slipway/engine:dev",
    ]


def test_cuda_variants_are_tags_with_locks_of_their_own() -> None:
    chosen = images([], tag="1.0", gpu=True)
    assert {image.reference: image.arguments for image in chosen} == {
        "docker.io/slipway/training:1.0-cuda": {"VERSION": "1.0-cuda", "LOCK": "training-gpu"},
        "docker.io/slipway/engine:1.0-cuda": {"VERSION": "1.0-cuda", "LOCK": "engine-gpu"},
    }


@pytest.mark.parametrize(("name", "gpu"), [("gatway", False), ("gateway", True)])
def test_an_unknown_image_is_refused_by_name(name: str, gpu: bool) -> None:
    with pytest.raises(ImagesError, match=name):
        images([name], tag="dev", gpu=gpu)


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "cuda"])
def test_every_source_exists_and_is_in_the_build_context(gpu: bool) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignore[1] == "*"
    kept = tuple(line[1:] for line in ignore if line.startswith("!"))
    for image in images([], tag="dev", gpu=gpu):
        for source in image.sources():
            assert (ROOT / source).exists(), source
            assert source.startswith(kept), source


def test_skaffold_builds_the_same_dockerfiles() -> None:
    text = (ROOT / "skaffold.yaml").read_text()
    for name, dockerfile in DOCKERFILES.items():
        assert f"image: docker.io/slipway/{name}\n" in text
        assert f"dockerfile: {dockerfile}" in text
