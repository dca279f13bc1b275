"""From a dotted path to a task, or to the words for why there is none."""

from __future__ import annotations

import importlib
import sys

import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.task import PipelineTask, build_task, load_task
from cyto.task.code import code_roots, path_parameters
from cyto.task.loading import call_here

SOURCE = '''
from cyto.task import Param, PipelineTask, Port

class Declared(PipelineTask):
    """Declare."""
    model: str = Param("", path=True)
    size: int = Param(1)
    outputs = {"n": Port("value")}
    def run_baremetal(self, data):
        return {"n": self.size}

class Plain:
    def __init__(self, size, *, other=2):
        self.size = size
    def __call__(self, data):
        return {"n": self.size, **data}

class Open:
    def __init__(self, **params):
        self.params = params
    def __call__(self, data, more=None):
        return self.params

class Wrong:
    def __call__(self, data):
        return [1]

class NoCall: pass
class TwoArguments:
    def __call__(self, one, two): pass
def function(data): return data
value = 3
'''


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Give the name of a package with tasks."""
    name = "lab_" + tmp_path.name.replace("-", "_")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "tasks.py").write_text(SOURCE)
    (folder / "heavy.py").write_text("import no_such_library_at_all\nclass T: pass\n")
    (folder / "broken.py").write_text("raise RuntimeError('broken at import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield name
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def refused(path) -> TaskInputError:
    with pytest.raises(TaskInputError) as caught:
        load_task(path)
    return caught.value


@pytest.mark.parametrize("path", ["", "Task", "a..B", ".a.B", "a.b-c", "a b.C", "os;x.C", "a.B."])
def test_what_is_no_dotted_path(path):
    assert "is no dotted path of a class" in str(refused(path))


def test_no_such_module(lab):
    error = refused(f"{lab}.taskz.Plain")
    assert f"there is no module '{lab}.taskz'" in error.message
    assert error.hint == "did you mean 'tasks'?"
    error = refused("cyto.segmentaton.watershed.Watershed")
    assert "there is no module 'cyto.segmentaton'" in error.message
    assert error.hint == "did you mean 'segmentation'?"
    assert "folder must be the pipeline file's" in refused("no_such_package_x.tasks.T").hint


def test_a_module_is_no_package(lab):
    error = refused(f"{lab}.tasks.more.Plain")
    assert f"there is no module '{lab}.tasks.more'" in error.message


def test_no_such_class(lab):
    error = refused(f"{lab}.tasks.Plan")
    assert error.message == f"module '{lab}.tasks' has no class 'Plan'"
    assert error.hint == "did you mean 'Plain'?"
    assert "known tasks: Declared, Open, Plain, Wrong" in refused(f"{lab}.tasks.zzz").hint


@pytest.mark.parametrize("name", ["NoCall", "TwoArguments", "function", "value"])
def test_what_is_no_task(lab, name):
    error = refused(f"{lab}.tasks.{name}")
    assert error.message == f"'{lab}.tasks.{name}' is no task"
    assert "subclass of cyto.task.PipelineTask" in error.hint


def test_a_library_that_is_missing_is_told_from_a_module_that_is(lab):
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        load_task(f"{lab}.heavy.T")


def test_an_import_that_fails_fails_as_it_does(lab):
    with pytest.raises(RuntimeError, match="broken at import"):
        load_task(f"{lab}.broken.T")


def test_declared_tasks(lab):
    cls = load_task(f"{lab}.tasks.Declared")
    assert issubclass(cls, PipelineTask)
    assert call_here(build_task(cls, {"size": 4}), {}) == {"n": 4}
    with pytest.raises(ParameterError, match="did you mean 'size'"):
        build_task(cls, {"sise": 4})


def test_plain_classes(lab):
    cls = load_task(f"{lab}.tasks.Plain")
    assert call_here(build_task(cls, {"size": 4}), {"a": 1}) == {"n": 4, "a": 1}
    with pytest.raises(ParameterError, match="unknown parameter 'sise'\n    did you mean 'size'"):
        build_task(cls, {"sise": 4})
    with pytest.raises(ParameterError, match="parameter 'size' must be given"):
        build_task(cls, {})
    anything = load_task(f"{lab}.tasks.Open")
    assert call_here(build_task(anything, {"x": 1}), {}) == {"x": 1}


def test_a_plain_class_that_returns_no_dict(lab):
    task = build_task(load_task(f"{lab}.tasks.Wrong"), {})
    with pytest.raises(TaskInputError, match="returned list, a task returns a dict"):
        call_here(task, {})


def test_code_roots(lab, tmp_path):
    assert code_roots(f"{lab}.tasks.Plain") == (str(tmp_path / lab),)
    assert code_roots("cyto.segmentation.watershed.Watershed") == ()
    assert code_roots("no_such_package_x.T") == ()
    (tmp_path / f"{lab}_alone.py").write_text("")
    importlib.invalidate_caches()
    assert code_roots(f"{lab}_alone.T") == (str(tmp_path / f"{lab}_alone.py"),)
    with pytest.raises(TaskInputError, match="defined in a notebook or script") as caught:
        code_roots("__main__.T")
    assert "module file of its own" in caught.value.hint


def test_path_parameters(lab, tmp_path, monkeypatch):
    cls = load_task(f"{lab}.tasks.Declared")
    (tmp_path / "model").write_text("x")
    assert path_parameters(cls, {"model": "model"}, str(tmp_path)) == {
        "model": str(tmp_path / "model")
    }
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_parameters(cls, {"model": "~/model"}) == {"model": str(tmp_path / "model")}
    assert path_parameters(cls, {"model": "cyto2"}, str(tmp_path)) == {}
    assert path_parameters(cls, {"model": ""}, str(tmp_path)) == {}
    assert path_parameters(cls, {"size": "model"}, str(tmp_path)) == {}
    assert path_parameters(load_task(f"{lab}.tasks.Plain"), {"size": "model"}, str(tmp_path)) == {}
