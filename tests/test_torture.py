"""A small part of what ``make torture`` does."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("torture.py")


def test_torture():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--part", "0.01", "--seed", "1"]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0 and out.stdout.endswith("0 faults\n"), out.stdout + out.stderr
    titles = "killed fits", "damaged checkpoints", "damaged folders", "eight threads", "a full disk"
    assert all(f"{title} " in out.stdout for title in (*titles, "hostile folders"))
