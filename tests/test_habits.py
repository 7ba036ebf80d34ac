"""Facts that stand in more than one file of the repository agree."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import skcontrast

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def found(pattern, name):
    match = re.search(pattern, read(name), re.MULTILINE)
    assert match, f"{name} has no {pattern}"
    return match[1]


def test_citation():
    assert found(r"^version: (.*)$", "CITATION.cff") == skcontrast.__version__
    assert found(r"^license: (.*)$", "CITATION.cff") == PROJECT["license"]
    assert found(r"^  - name: (.*)$", "CITATION.cff") == PROJECT["authors"][0]["name"]


def test_one_ruff():
    pinned = found(r"^ruff==(.*)$", "constraints.txt")
    assert found(r"^    rev: v(\S+)", ".pre-commit-config.yaml") == pinned


def test_the_workflow_runs_every_python_and_only_targets_that_exist():
    workflow = read(".github/workflows/tests.yml")
    classified = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    said = re.search(r"python: \[(.*)\]", workflow)[1].replace('"', "").split(", ")
    assert said == [version.rpartition(":: ")[2] for version in classified]
    targets = re.findall(r"run: make (\S+)", workflow)
    assert {"test", "test-floor", "release-check"} <= set(targets)
    for target in targets:
        found(rf"^({target}):", "Makefile")


def test_the_sdist_names_every_tracked_file():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not under version control")
    manifest = read("MANIFEST.in")
    grafted = set(re.findall(r"^graft (\S+)$", manifest, re.MULTILINE))
    patterns = found(r"^include (.*)$", "MANIFEST.in").split()
    # What setuptools adds by itself.
    always = {"pyproject.toml", "LICENSE", "MANIFEST.in"}
    for name in map(Path, listed.stdout.split("\n")[:-1]):
        room = name.parts[0]
        fits = any(name.match(pattern) for pattern in patterns) and len(name.parts) == 1
        assert room in grafted | always | {"skcontrast"} or fits, f"{name}: add it to MANIFEST.in"
