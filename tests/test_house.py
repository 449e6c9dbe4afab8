"""The house around the code: make, continuous integration, the image and its steps, the wheel's contents."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from .source_tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STEPS = (ROOT / "scripts" / "image-steps.sh").read_text()
CI = (ROOT / ".ci" / "run").read_text()


# ---------------------------------------------------------------- make
def make(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_make_alone_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert phony
    listed = make().stdout
    for target in set(phony[1].split()):
        assert re.search(rf"^{target} +\S", listed, re.M), f"make help does not explain {target}"


@pytest.mark.parametrize(
    "target", ["demo", "test", "lint", "real", "bench", "bench-quick", "guard", "soak", "warm", "format"]
)
def test_targets_expand(target):
    done = make("--dry-run", target)
    assert done.returncode == 0, done.stderr
    assert ".venv/bin/python" in done.stdout


STAND_IN = """#!/bin/sh
case "$*" in
    *version_info*) exit {is_old} ;;
    *ensurepip*) exit {lacks_venv} ;;
    --version) echo "Python {version}" ;;
    -m*) echo "$0 $*" > "{folder}/made" ;;
esac
"""


def fake_python(folder: Path, name: str, version: str, has_venv: bool = True) -> Path:
    """A stand-in that answers venv.sh's questions like a Python of that version."""
    is_old = int(tuple(map(int, version.split("."))) < (3, 11))
    path = folder / name
    path.write_text(
        STAND_IN.format(is_old=is_old, lacks_venv=int(not has_venv), version=version, folder=folder)
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def venv_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run venv.sh with only the stand-ins of `folder` in sight."""
    command = ["/bin/sh", str(ROOT / "scripts" / "venv.sh"), "target", *arguments]
    return subprocess.run(
        command, env={"PATH": str(folder)}, cwd=folder, capture_output=True, text=True, timeout=30
    )


def test_venv_prefers_python3_when_it_is_new_enough(tmp_path):
    fake_python(tmp_path, "python3", "3.11.2")
    fake_python(tmp_path, "python3.13", "3.13.0")
    done = venv_script(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made").read_text().strip().endswith("python3 -m venv target")


def test_venv_takes_the_newest_when_python3_is_old(tmp_path):
    for name, version in (("python3", "3.9.2"), ("python3.11", "3.11.2"), ("python3.12", "3.12.1")):
        fake_python(tmp_path, name, version)
    assert venv_script(tmp_path).returncode == 0
    assert "python3.12 -m venv" in (tmp_path / "made").read_text()


def test_venv_takes_the_python_it_is_given(tmp_path):
    fake_python(tmp_path, "python3", "3.13.0")
    chosen = fake_python(tmp_path, "mine", "3.11.0")
    assert venv_script(tmp_path, str(chosen)).returncode == 0
    assert "mine -m venv" in (tmp_path / "made").read_text()


@pytest.mark.parametrize(
    ("version", "has_venv", "words"),
    [
        (
            "3.9.2",
            True,
            ("found Python 3.9.2, expected Python 3.11 or later", "apt-get install", "make PYTHON="),
        ),
        ("3.11.2", False, ("Python 3.11.2 has no venv module", "apt-get install python3-venv")),
        (None, True, ("found no python3, expected Python 3.11 or later",)),
    ],
)
def test_venv_says_plainly_what_is_missing(tmp_path, version, has_venv, words):
    if version:
        fake_python(tmp_path, "python3", version, has_venv)
    done = venv_script(tmp_path)
    assert done.returncode == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "made").exists()


# ---------------------------------------------------------------- the image
def image_steps() -> list[str]:
    """Step names of `image-steps.sh all`, in order."""
    body = re.search(r"^all\(\) \{\n(.*?)^\}", STEPS, re.M | re.S)
    assert body
    names = re.findall(r"^    ([a-z]+) \"", body[1], re.M)
    assert names
    return names


def test_each_run_line_of_the_image_is_a_step_that_ci_runs():
    runs = re.findall(r"^RUN (.*)$", DOCKERFILE, re.M)
    parts = [shlex.split(line) for line in runs]
    assert all(words[:2] == ["sh", "scripts/image-steps.sh"] for words in parts), runs
    assert [words[2] for words in parts] == [name for name in image_steps() if name != "unprivileged"]
    assert "sh scripts/image-steps.sh all" in CI


def test_image_runs_as_nobody_in_particular_and_warmed():
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.M)
    assert 'ENTRYPOINT ["ringbook", "run"]' in DOCKERFILE
    assert '"ringbook", "health", "--alive"' in DOCKERFILE
    assert re.search(r"^VOLUME /cache$", DOCKERFILE, re.M)
    assert "RINGBOOK_CACHE_DIR=/cache" in DOCKERFILE
    final = DOCKERFILE.rpartition("FROM ")[2]
    assert "RUN" not in final
    for path in re.findall(r"COPY --from=build (?:--chown=\S+ )?(\S+) (\S+)", final):
        assert path[0] == path[1], "numba's cache remembers where its sources lay"


def test_the_build_context_holds_what_the_steps_copy():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.search(r"for name in (.*?); do", STEPS)
    assert copied
    assert set(copied[1].split()) | {"scripts"} == allowed


def test_steps_refuse_an_unknown_word():
    done = subprocess.run(
        ["sh", "scripts/image-steps.sh", "nonsense"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "usage" in done.stderr


# ---------------------------------------------------------------- continuous integration
def test_scripts_are_executable_and_parse():
    for script, shell in ((".ci/run", "bash"), ("scripts/venv.sh", "sh"), ("scripts/image-steps.sh", "sh")):
        assert os.access(ROOT / script, os.X_OK), script
        subprocess.run([shell, "-n", script], cwd=ROOT, check=True, timeout=30)


def test_ci_takes_its_commands_from_readme():
    function = re.search(r"^readme_commands\(\) \{\n.*?^\}", CI, re.M | re.S)
    assert function
    script = f"{function[0]}\nreadme_commands"
    found = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30
    ).stdout
    assert [line.strip() for line in found.splitlines()] == ["make demo", "make test"]


def test_no_reader_of_a_pipe_leaves_early():
    """Under pipefail a writer that dies of SIGPIPE (141) fails the script, but only when it loses the race."""
    early = re.compile(r"\|\s*(head|grep\s+(-\w*[qm]|--quiet|--max-count)|sed\s+(-n\s+)?\S*q\b)")
    assert early.search("make --version | head -n 1")
    assert early.search("list | grep -Eq x")
    assert not early.search("make --version | sed -n 1p")
    assert [line for line in CI.splitlines() if early.search(line)] == []


def judged(tmp_path: Path, log: str) -> subprocess.CompletedProcess:
    """Run the skip judge of .ci/run over a pytest log."""
    function = re.search(r"^judge_skips\(\) \{\n.*?^\}", CI, re.M | re.S)
    assert function
    (tmp_path / "log").write_text(log)
    script = f"set -euo pipefail\n{function[0]}\njudge_skips {tmp_path}/log"
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_a_skip_with_an_unknown_reason_fails(tmp_path):
    good = "SKIPPED [2] tests/test_a.py:1: recordings not found in x; point RINGBOOK_RECORDINGS at them\n"
    bad = "SKIPPED [1] tests/test_b.py:9: it was inconvenient\n"
    assert judged(tmp_path, "5 passed\n").returncode == 0
    assert judged(tmp_path, good).returncode == 0
    done = judged(tmp_path, good + bad)
    assert done.returncode == 1
    assert "inconvenient" in done.stderr
    assert "not found" not in done.stderr


def test_nothing_here_names_a_registry():
    for name in (
        "Makefile",
        "Dockerfile",
        "pyproject.toml",
        ".ci/run",
        "scripts/venv.sh",
        "scripts/image-steps.sh",
    ):
        text = (ROOT / name).read_text()
        assert not re.search(r"index-url|https?://", text), name


def test_installed_package_is_this_tree():
    code = "import ringbook.engine.layout as layout; print(layout.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert Path(found.stdout.strip()).resolve() == ROOT / "engine" / "layout.py"
