"""Fit and transform at defaults from 10,000 rows on disk to ten million streamed from Parquet.

    python benchmarks/scale.py [--rows N ...] [--streamed N ...] [--threads N] [--folder DIR]
                               [--write PAGE]

Rows of 64 float32 columns are written once to the folder. Each line runs in a process of its own;
lines that were measured already are kept in benchmarks/cache, and --fresh forgets them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from record import Record

COLUMNS, CHUNK = 64, 65_536
ROWS, STREAMED = (10_000, 100_000, 1_000_000), (100_000, 1_000_000, 10_000_000)
# Rows transformed, at most: their cost does not depend on how many there are.
TRANSFORMED = 100_000
TITLE = "## From disk"
PAGE = """{title}

`ContrastiveEncoder()` at its defaults on {columns} float32 columns, with {threads} threads: from
a memory map ("map"), and streamed from a `pyarrow` data set for one epoch ("Parquet"). Seconds are
of a clock, milliseconds of the processor: for each visit of a row in training, and for each of up
to {transformed:,} rows transformed to a memory map. Megabytes are the most that the process held
beyond what its imports took, without pages of mapped files. Written by

    {command}

"""


def chunks(n):
    """Rows of 10 clusters in chunks, the first ones the same whatever ``n``."""
    centres = np.random.default_rng(0).normal(size=(10, COLUMNS)).astype(np.float32)
    for number, start in enumerate(range(0, n, CHUNK)):
        rng = np.random.default_rng([1, number])
        noise = rng.standard_normal((CHUNK, COLUMNS), dtype=np.float32)
        yield (centres[rng.integers(10, size=CHUNK)] + noise)[: n - start]


def written(folder, kind, n):
    """Path of the rows of a job, which are written where they are not there yet."""
    path = Path(folder) / f"{kind}_{n}"
    if path.exists():
        return path
    part = path.with_suffix(".part")
    if kind == "map":
        with part.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f4", "fortran_order": False, "shape": (n, COLUMNS)}
            )
            for rows in chunks(n):
                rows.tofile(file)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = [f"x{j}" for j in range(COLUMNS)]
        schema = pa.schema([(name, pa.float32()) for name in names])
        with pq.ParquetWriter(part, schema, compression="none", use_dictionary=False) as file:
            for rows in chunks(n):
                file.write_table(pa.table(dict(zip(names, rows.T.copy())), schema=schema))
    part.rename(path)
    return path


class Memory(threading.Thread):
    """Most megabytes of the process that are not pages of mapped files, beyond those at first."""

    def __init__(self):
        super().__init__(daemon=True)
        self.first = self.most = self.now()

    def now(self):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        raise OSError("/proc/self/status does not say RssAnon")

    def run(self):
        while True:
            self.most = max(self.most, self.now())
            time.sleep(0.05)


def one(path, kind, n):
    """Seconds and megabytes of a fit and of a transform, in this process."""
    import pyarrow.dataset
    from skorch.callbacks import Callback

    from skcontrast import ContrastiveEncoder

    class Clock(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seconds = -time.process_time()

        def on_train_end(self, net, **kwargs):
            self.seconds += time.process_time()

    clock, memory = Clock(), Memory()
    memory.start()
    X = np.load(path, mmap_mode="r") if kind == "map" else pyarrow.dataset.dataset(path)
    model = ContrastiveEncoder(random_state=0, device="cpu", callbacks=[clock])
    if kind == "stream":
        model.set_params(max_iter=1)
    start = time.perf_counter()
    model.fit(X)
    fitted = time.perf_counter()
    of_fit, start_of_transform = memory.most, time.process_time()
    n_transformed = min(n, TRANSFORMED)
    out = np.lib.format.open_memmap(
        f"{path}.out", "w+", np.float32, (n_transformed, model.n_components_)
    )
    if kind == "map":
        model.transform(X[:n_transformed], out=out)
    else:
        start_row = 0
        for part in islice(model.transform_batches(X, 10_000), n_transformed // 10_000):
            out[start_row : start_row + len(part)] = part
            start_row += len(part)
    in_transform = time.process_time() - start_of_transform
    os.unlink(f"{path}.out")
    return {
        "epochs": model.n_iter_,
        "loss of the first epoch": model.loss_curve_[0],
        "of the last": model.loss_curve_[-1],
        "seconds to fit": fitted - start,
        "ms a row-visit": 1000 * clock.seconds / (n * model.n_iter_),
        "megabytes of fit": of_fit - memory.first,
        "ms a row transformed": 1000 * in_transform / n_transformed,
        "megabytes of both": memory.most - memory.first,
    }


def measure(folder, kind, n, threads):
    """The same in a process of its own."""
    path = written(folder, kind, n)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(names, str(threads)), "OMP_WAIT_POLICY": "passive"}
    call = [sys.executable, __file__, "--one", str(path), kind, str(n)]
    out = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return json.loads(out.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="*", type=int, default=list(ROWS))
    parser.add_argument("--streamed", nargs="*", type=int, default=list(STREAMED))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", default=Path(tempfile.gettempdir()) / "skcontrast_scale")
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    parser.add_argument("--write", type=Path, help="page whose section is written")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        path, kind, n = options.one
        print(json.dumps(one(path, kind, int(n))))
        return
    record = Record("scale")
    if options.fresh:
        record.forget()
    Path(options.folder).mkdir(exist_ok=True)
    jobs = [("map", n, options.threads) for n in options.rows]
    jobs += [("stream", n, options.threads) for n in options.streamed]
    found = record.run(measure, options.folder, jobs, n_jobs=1)
    name = {"map": "map", "stream": "Parquet"}
    table = pd.DataFrame(
        [{"rows": f"{n:,}", "from": name[kind], **line} for (kind, n, _), line in found.items()]
    )
    formats = ["", "", "", ".2f", ".2f", ".0f", ".3f", ".0f", ".3f", ".0f"]
    command = "python benchmarks/scale.py " + " ".join(sys.argv[1:])
    text = PAGE.format(
        title=TITLE,
        columns=COLUMNS,
        threads=options.threads,
        transformed=TRANSFORMED,
        command=command,
    )
    text += table.to_markdown(index=False, floatfmt=formats) + "\n"
    print(text)
    if options.write:
        before = options.write.read_text(encoding="utf-8").partition(TITLE)[0]
        options.write.write_text(before.rstrip() + "\n\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
