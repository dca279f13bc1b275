"""What very many input files become for a container."""

from __future__ import annotations

import pytest

from cyto.engine.pool import _MOUNTS, _few


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/data/a.tif", "/store"], {"/data/a.tif", "/store"}),
        ([f"/data/plate/s{i}.tif" for i in range(1000)], {"/data/plate"}),
        ([f"/data/p/s{i}/c{j}.tif" for i in range(200) for j in range(2)], {"/data/p"}),
        ([f"/s{i}.tif" for i in range(100)], {f"/s{i}.tif" for i in range(100)}),
        (
            [f"/mnt/s{i}.tif" for i in range(100)] + ["/x"],
            {f"/mnt/s{i}.tif" for i in range(100)} | {"/x"},
        ),
    ],
)
def test_folders_in_place_of_many_files(paths, expected):
    found = _few(paths)
    assert set(found) == expected
    assert all(any(p == f or p.startswith(f"{f}/") for f in found) for p in paths)
    assert _MOUNTS < 100
