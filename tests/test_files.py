from __future__ import annotations

from pathlib import Path

import pytest

from chainer_style import files
from chainer_style.errors import UserError


def test_replacing_is_all_or_nothing(tmp_path):
    path = tmp_path / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"

    def fail():
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_make_folder(tmp_path):
    files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(UserError, match=r"cannot write to the folder .*a.b"):
        files.make_folder(tmp_path / "a" / "b")


def test_check_folder_makes_nothing(tmp_path, monkeypatch):
    files.check_folder(tmp_path)
    files.check_folder(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    files.check_folder(Path("a"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").touch()
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(UserError, match=r"cannot write to the folder .*a.*: "):
            files.check_folder(path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc on this system")
def test_a_folder_that_cannot_be_written_to():
    """Not even by root, as tests may run."""
    with pytest.raises(UserError, match="cannot write to the folder /proc"):
        files.make_folder(Path("/proc/self/pictures"))
    with pytest.raises(UserError, match="cannot write to the folder /proc"):
        files.check_folder(Path("/proc/self/pictures"))


def test_a_folder_named_by_a_variable(monkeypatch):
    monkeypatch.delenv("FOLDER", raising=False)
    assert files.named_folder("FOLDER") is None
    monkeypatch.setenv("FOLDER", "~/there")
    assert files.named_folder("FOLDER") == Path.home() / "there"
    monkeypatch.setenv("FOLDER", "~nobody-of-this-name/there")
    with pytest.raises(UserError, match="cannot use FOLDER=~nobody-of-this-name/there"):
        files.named_folder("FOLDER")
