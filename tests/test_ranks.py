"""One fit in two processes is the fit of one."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from ranks_jobs import DRAWN, JOBS, REFUSED, TRAINABLE, X, encoder

from skcontrast._training.devices import resolve_device
from skcontrast._training.ranks import Alone, processes
from skcontrast.checkpoint import Checkpoint

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="torch without torch.distributed")

SCRIPT = Path(__file__).parent / "ranks_jobs.py"


def environment():
    """Of a process on one thread, with this package."""
    paths = os.pathsep.join([str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}


def run(folder, what, size):
    """What the jobs gave in each of ``size`` processes; None of one that died."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running, outs = [], [folder / f"{what}{size}{rank}.pkl" for rank in range(size)]
    for rank, out in enumerate(outs):
        env = environment()
        if size > 1:
            env |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
            env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        command = [sys.executable, str(SCRIPT), str(out), str(rank), what, str(folder / "runs")]
        running.append(subprocess.Popen(command, env=env, cwd=SCRIPT.parent))
    for process in running:
        process.wait(timeout=600)
    return [pickle.loads(out.read_bytes()) if out.exists() else None for out in outs]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    return run(folder, "alone", 1)[0], *run(folder, "shared", 2)


@pytest.mark.parametrize("name", [*JOBS, *TRAINABLE])
def test_two_processes_train_what_one_trains(found, name):
    (losses, weights, _), (same, others, _), (again, of_second, untouched) = (
        f[name] for f in found
    )
    tolerance = {"rtol": 0, "atol": {"float32": 1e-5, "bfloat16": 1e-2}.get(name, 1e-8)}
    np.testing.assert_allclose(same, losses, **tolerance)
    for key, values in weights.items():
        np.testing.assert_allclose(others[key], values, **tolerance, err_msg=key)
    assert same == again and untouched
    assert all(np.array_equal(others[key], of_second[key]) for key in others)


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_the_same_for_all(found, name):
    (losses, weights, _), (again, of_second, _) = (f[name] for f in found[1:])
    assert losses == again and np.isfinite(losses).all()
    assert all(np.array_equal(weights[key], of_second[key]) for key in weights)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shared_is_refused_by_all(found, name):
    expected = "LayerNorm" if name == "batch norm" else "different rows or parameters"
    assert all(expected in f[name] for f in found[1:])


def test_a_process_that_dies_ends_the_others_and_the_training_goes_on(tmp_path):
    told, _ = run(tmp_path, "killed", 2)
    assert "start all of them again" in told
    # With the processes that there are by now: here one.
    folder = tmp_path / "runs"
    losses = encoder(checkpoint=Checkpoint(folder, every=1)).fit(X).loss_curve_
    unbroken = encoder().fit(X).loss_curve_
    np.testing.assert_allclose(losses, unbroken, atol=1e-8)
    (path,) = folder.glob("*.pt")
    assert losses == encoder(checkpoint=Checkpoint(folder, every=1)).fit(X).loss_curve_


def test_torchrun_starts_anew_where_the_last_file_ends(tmp_path):
    out, command = tmp_path / "{}.pkl", [sys.executable, "-m", "torch.distributed.run"]
    command += ["--standalone", "--nproc-per-node", "2", "--max-restarts", "1", str(SCRIPT)]
    command += [str(out), "told", "killed", str(tmp_path / "runs")]
    done = subprocess.run(command, env=environment(), cwd=SCRIPT.parent, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    unbroken = encoder().fit(X).loss_curve_
    for rank in range(2):
        losses = pickle.loads((tmp_path / f"{rank}.pkl").read_bytes())
        np.testing.assert_allclose(losses, unbroken, atol=1e-8)


def test_a_process_without_a_launcher_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert type(processes()) is Alone
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert type(processes()) is Alone


def test_each_process_of_a_machine_has_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert resolve_device("auto") == torch.device("cuda")
    for rank, device in (("0", "cuda:0"), ("1", "cuda:1"), ("2", "cuda:0")):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert resolve_device("auto") == torch.device(device)
