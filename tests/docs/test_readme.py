"""README.rst: valid for the package index, and true."""

from __future__ import annotations

import re
import shlex
import subprocess

import click
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from chainer_style.cli import main
from chainer_style.experiments.catalogue import PARTS
from chainer_style.weights import registry


@pytest.fixture(scope="module")
def text(root):
    return (root / "README.rst").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def readme(text):
    """The README as the package index reads it: the least warning is an error."""
    settings = {
        "report_level": 1,
        "halt_level": 2,
        "raw_enabled": False,
        "file_insertion_enabled": False,
    }
    return publish_doctree(text, settings_overrides=settings)


@pytest.fixture(scope="module")
def commands(readme):
    """What a reader is told to type."""
    blocks = readme.findall(nodes.literal_block)
    lines = "\n".join(block.astext() for block in blocks).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_links_lead_to_files_that_are_there(readme, root):
    targets = [node["refuri"] for node in readme.findall(nodes.reference)]
    inside = [target for target in targets if "://" not in target]
    assert "docs/quickstart.rst" in inside
    assert [target for target in inside if not (root / target).is_file()] == []


def test_the_quick_start_is_exactly_two_commands(readme):
    section = next(
        s for s in readme.findall(nodes.section) if "quick-start" in s["ids"]
    )
    (block,) = section.findall(nodes.literal_block)
    assert block.astext() == "$ make reproduce\n$ make test"


def test_what_is_made_is_in_the_makefile(text, root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake\s([a-z][a-z0-9-]+)", text))
    assert named >= {"reproduce", "test", "docs", "table4", "figure6"}
    assert named <= targets | set(PARTS)
    for variable in re.findall(r"\bmake\s\w+ ([A-Z]+)=", text):
        assert re.search(rf"^{variable} *\?=", makefile, re.MULTILINE)


def test_every_part_of_the_paper_can_be_made(root):
    help_ = subprocess.run(
        ["make", "-s", "help"], cwd=root, capture_output=True, text=True, check=True
    )
    found = re.search(r"parts of the paper: (.*)", help_.stdout)
    assert sorted(found[1].split()) == sorted(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_paper_has_a_script(part, root):
    scripts = [path.read_text() for path in (root / "scripts").glob("*.sh")]
    asked = [
        words for text in scripts for words in re.findall(r"reproduce (.*) \"", text)
    ]
    assert any(part in words.split() for words in asked)


def test_the_command_line_understands_its_examples(commands, root):
    words = [
        shlex.split(line.removeprefix(".venv/bin/"))
        for line in commands
        if "chainer-style " in line
    ]
    assert words
    for _, name, *arguments in words:
        command = main.commands[name]
        if isinstance(command, click.Group):
            command, arguments = command.commands[arguments[0]], arguments[1:]
        params = command.make_context(name, arguments).params
        for picture in ("content", "style"):
            assert picture not in params or (root / params[picture]).is_file()
        for network in params.get("names", ()):
            assert registry.find(network)


def test_the_constraint_of_the_install_commands_is_there(commands, root):
    files = {name for line in commands for name in re.findall(r"[\w-]+\.txt", line)}
    assert files == {"build-constraints.txt"}
    assert "setuptools<" in (root / "build-constraints.txt").read_text()


def test_the_folders_it_names_are_there(readme, root):
    table = next(readme.findall(nodes.table))
    named = [node.astext() for node in table.findall(nodes.literal)]
    folders = {name.rstrip("/") for name in named if name.endswith("/")}
    assert "chainer_style" in folders
    made_later = {"results"}
    assert [f for f in folders - made_later if not (root / f).is_dir()] == []


@pytest.mark.slow
def test_the_python_example_runs(readme, root, tmp_path, monkeypatch, capsys):
    (code,) = (
        block.astext()
        for block in readme.findall(nodes.literal_block)
        if "python" in block["classes"]
    )
    assert "iterations=50" in code
    (tmp_path / "samples").symlink_to(root / "samples")
    monkeypatch.chdir(tmp_path)
    exec(
        compile(code.replace("iterations=50", "iterations=2"), "README.rst", "exec"), {}
    )
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("0 ")
    assert float(second.split()[1]) < float(first.split()[1])
    assert (tmp_path / "lighthouse-swirls.png").stat().st_size > 0
