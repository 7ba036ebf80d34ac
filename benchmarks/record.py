"""What a benchmark has measured: kept line by line, so that a run that was stopped goes on."""

import json
from pathlib import Path

import torch
from joblib import Parallel, delayed

FOLDER = Path(__file__).parent / "cache"


class Record:
    """Results of a benchmark by job; a job is a tuple of names and numbers.

    Parameters
    ----------
    name : str
        Of the file in ``benchmarks/cache``.
    """

    def __init__(self, name):
        self.path = FOLDER / f"{name}.jsonl"

    def results(self):
        """Job -> what it gave."""
        if not self.path.exists():
            return {}
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return {tuple(line["job"]): line["result"] for line in lines}

    def forget(self):
        """Start anew."""
        self.path.unlink(missing_ok=True)

    def run(self, measure, folder, jobs, n_jobs):
        """Run ``measure(folder, *job)`` where its result is not there yet; all results."""
        done = self.results()
        left = [job for job in jobs if job not in done]
        FOLDER.mkdir(exist_ok=True)
        Parallel(n_jobs=n_jobs, verbose=1)(
            delayed(self._measure)(measure, folder, job) for job in left
        )
        done = self.results()
        return {job: done[job] for job in jobs}

    def _measure(self, measure, folder, job):
        torch.set_num_threads(1)
        line = json.dumps({"job": job, "result": measure(folder, *job)})
        with self.path.open("a") as file:  # one short line: appended whole
            file.write(line + "\n")
