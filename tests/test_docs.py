"""Documents tell the truth: links lead somewhere, targets, commands and options exist, examples run."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from ringbook.io.cli import build_parser
from ringbook.io.config import EngineConfig, load
from ringbook.io.exchange.faults.plan import plan_from

from .source_tree import ROOT, name_of


def is_ours(path: Path) -> bool:
    """Whether a file is not in a hidden folder (environments, caches) or one that is built."""
    return not any(
        part.startswith(".") or part in ("node_modules", "build", "target")
        for part in path.relative_to(ROOT).parts
    )


DOCUMENTS = sorted(filter(is_ours, ROOT.rglob("*.md")))
README = ROOT / "README.md"


def fenced(path: Path, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S)


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(path))
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not missing, f"{name_of(path)} links to {missing}"


FILE_LIKE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|sh|toml)|[A-Z]+\.md)`")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_named_in_prose_exist(path):
    places = (path.parent, ROOT, ROOT / "src" / "ringbook")
    missing = [n for n in FILE_LIKE.findall(prose(path)) if not any((place / n).exists() for place in places)]
    assert not missing, f"{name_of(path)} names {missing}"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_make_targets_named_exist(path):
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", path.read_text(), re.M)
    assert set(named) <= make_targets()


def ringbook_commands(path: Path) -> list[list[str]]:
    """Command lines of ringbook in sh blocks, as argument lists."""
    lines = [line.split("#")[0].strip() for block in fenced(path, "sh") for line in block.splitlines()]
    found = [
        re.sub(r"^.*?(-m )?ringbook ", "", line) for line in lines if re.search(r"\bringbook [a-z]", line)
    ]
    return [shlex.split(line.rstrip("&")) for line in found]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_in_documents_parse(path):
    for arguments in ringbook_commands(path):
        build_parser().parse_args(arguments)


def subcommands() -> set[str]:
    help_text = subprocess.run(
        [sys.executable, "-m", "ringbook", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    return set(re.findall(r"^    ([a-z]+)  ", help_text, re.M))


def test_readme_lists_every_command_and_no_other():
    listed = set(re.findall(r"^\| `ringbook ([a-z]+)` \|", README.read_text(), re.M))
    assert listed == subcommands()


def test_readme_begins_with_the_two_commands():
    first = re.search(r"```sh\n(.*?)```", README.read_text(), re.S)
    assert first
    assert README.read_text().index("```sh") < 40
    assert [line.split("#")[0].strip() for line in first[1].splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_configurations_in_documents_are_accepted(path, tmp_path):
    for block in fenced(path, "toml"):
        if "[[fault]]" in block:
            assert plan_from(block).entries
            continue
        (tmp_path / "ringbook.toml").write_text(block)
        assert load(tmp_path / "ringbook.toml").venue


def test_every_key_of_the_configuration_is_documented_with_its_default():
    text = (ROOT / "docs" / "config.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|required) \|", text, re.M))
    assert list(rows) == [field.name for field in fields(EngineConfig)]
    for field in fields(EngineConfig):
        if field.default is not MISSING:
            (value,) = tomllib.loads(f"x = {rows[field.name]}").values()
            assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_python_examples_are_python(path):
    for block in fenced(path, "python"):
        ast.parse(block)


def test_changelog_begins_with_this_version():
    import ringbook

    headings = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0].rstrip(",") == ringbook.__version__


def test_decisions_are_listed_and_short():
    index = (ROOT / "decisions" / "0000-index.md").read_text()
    for path in sorted((ROOT / "decisions").glob("*.md")):
        if path.name == "0000-index.md":
            continue
        assert f"({path.name})" in index, f"{path.name} is not in the index"
        assert len(path.read_text().splitlines()) <= 50, f"{path.name} is too long to be read"


def test_every_rule_of_style_names_tests_that_exist():
    named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", (ROOT / "STYLE.md").read_text())
    assert named
    for file, function in named:
        path = ROOT / "tests" / file
        assert path.exists(), file
        assert not function or f"def {function}(" in path.read_text(), f"{file}::{function}"
