"""Which names of images point at a registry."""

from __future__ import annotations

import pytest

from cyto.core.placement import Placement, Resources, has_registry

REMOTE = [
    "registry.example/cellpose:v1", "localhost:5000/x", "localhost/x", "docker://x",
    "ghcr.io/lab/cellpose@sha256:abc", "oras://a/b", "host:5000/a/b:c",
]  # fmt: skip
LOCAL = [
    "cellpose:latest", "your-lab/cellpose", "cellpose", "", "./cellpose.sif", "../a/b.sif",
    "/images/cellpose.sif", "images/cellpose.v1.sif",
]  # fmt: skip


@pytest.mark.parametrize("image", REMOTE)
def test_names_with_a_registry_may_be_pulled_when_missing(image):
    assert has_registry(image)
    assert Placement(environment="docker", image=image).may_pull == "missing"


@pytest.mark.parametrize("image", LOCAL)
def test_bare_names_are_never_pulled(image):
    assert not has_registry(image)
    assert Placement(environment="docker", image=image).may_pull == "never"


@pytest.mark.parametrize("pull", ["never", "missing", "always"])
@pytest.mark.parametrize("image", ["cellpose", "ghcr.io/lab/cellpose"])
def test_what_the_user_says_wins(image, pull):
    assert Placement(environment="docker", image=image, pull=pull).may_pull == pull


def test_without_an_image_nothing_is_pulled():
    assert Placement().may_pull == "never"


def test_placements_are_values():
    one = Placement(environment="docker", image="a", resources=Resources(cpus=2), env=(("A", "1"),))
    two = Placement(environment="docker", image="a", resources=Resources(cpus=2), env=(("A", "1"),))
    assert one == two
    assert len({one, two}) == 1
