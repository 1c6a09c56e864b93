import importlib.util
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.compat import _edits
from chainer_style.compat._edits import EDITS, Edit, edited

ALL_EDITS = [(module, edit) for module, edits in EDITS.items() for edit in edits]


def unedited(module: str) -> str:
    package = importlib.util.find_spec(module.partition(".")[0])
    folder, *parts = Path(package.origin).parent, *module.split(".")[1:]
    return folder.joinpath(*parts).with_suffix(".py").read_text("utf-8")


@pytest.mark.parametrize(("module", "edit"), ALL_EDITS)
def test_edit_keeps_the_lines_in_place(module, edit):
    if edit.to_end:
        source = unedited(module)
        assert source.startswith(edit.apply(source, module)[: source.index(edit.old)])
    else:
        assert edit.new.count("\n") == edit.old.count("\n")


@pytest.mark.parametrize(("module", "edit"), ALL_EDITS)
def test_edit_says_why(module, edit):
    assert edit.why.endswith(".")
    assert edit.why in _edits.__doc__
    assert f"``{module}``" in _edits.__doc__


@pytest.mark.parametrize("module", EDITS)
def test_edited_source_compiles_without_a_warning(module):
    with warnings.catch_warnings(action="error"):
        compile(edited(module, unedited(module)), module, "exec")


@pytest.mark.parametrize("module", EDITS)
def test_editing_twice_is_refused(module):
    with pytest.raises(ImportError, match=r"is not the one of Chainer 7\.8\.1"):
        edited(module, edited(module, unedited(module)))


@given(
    before=st.text("xyz\n"),
    between=st.text("xyz\n"),
    after=st.text("xyz\n"),
    new=st.text("uvw"),
)
def test_edit_changes_its_text_and_nothing_else(before, between, after, new):
    source = f"{before}old{between}old{after}"
    edit = Edit("old", new, why="", count=2)
    assert edit.apply(source, "m") == f"{before}{new}{between}{new}{after}"
    assert Edit("old", new, why="", count=2, to_end=True).apply(source, "m") == (
        before + new
    )


@pytest.mark.parametrize("source", ["", "old", "old old old"])
def test_edit_refuses_another_count(source):
    with pytest.raises(ImportError, match=rf"'old' {source.count('old')} times") as e:
        Edit("old", "new", why="", count=2).apply(source, "chainer.variable")
    assert e.value.name == "chainer.variable"
