"""What broken disks, kills and strangers do to saved models: counts, and exit 1 on a fault.

    python tests/torture.py [--part 0.05] [--seed 0]

``--part`` runs a part of it. Each section says what it did and what came of it; a fault is a
result that differs from the undamaged one, a death, a wait, or an error that is no sentence.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import torch
from broken import full_disk
from torture_cases import X, Y, apart, digest, models, one_sentence, trained, training, used
from torture_hostile import hostile

import skcontrast


def kills(draw, n):
    """Fits that are killed at random moments and go on: equal to the unbroken one?"""
    counts, faults = Counter(), []
    unbroken, lasts = {}, {}
    for i in range(3):
        start = time.time()
        unbroken[i], lasts[i] = trained(training(None, i)), time.time() - start
    for run in range(-(-n // 5)):
        kind = run % 3
        with tempfile.TemporaryDirectory() as folder:
            killed, wanted = 0, min(5, n - 5 * run)
            for _ in range(20 * wanted):
                after = draw.uniform(0, 0.6 * lasts[kind])
                came = apart(lambda: trained(training(folder, kind)), kill_after=after)  # noqa: B023
                killed += came == "died by SIGKILL"
                if killed == wanted:
                    break
                if came == unbroken[kind]:  # ready sooner: its file would go no further
                    for path in Path(folder).iterdir():
                        path.unlink()
            counts["kills"] += killed
            came = apart(lambda: trained(training(folder, kind)))  # noqa: B023
            left = [path for path in Path(folder).iterdir() if path.suffix != ".pt"]
        good = came == unbroken[kind] and not left
        counts["resumed, equal" if good else "resumed, DIFFERENT"] += 1
        if not good:
            faults.append(f"resumed fit of kind {kind}: {came[:100]}, left {left}")
    return counts, faults


# -------------------------------------------------------------------------------- damages


def damaged(content, draw):
    """A copy of a file with one bit turned; one time in ten a sector of zeros."""
    bad = bytearray(content)
    if draw.random() < 0.1 and len(bad) > 512:
        start = draw.randrange(len(bad) - 512)
        bad[start : start + 512] = bytes(512)
    else:
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
    return bytes(bad)


def judged(counts, faults, what, expected, function):
    """Count what came of damaged files: refused in one sentence, equal, or a fault."""
    try:
        came = "equal" if function() == expected else "DIFFERENT"
    except Exception as error:
        came = "refused" if one_sentence(error) else f"UNCLEAR {type(error).__name__}"
    counts[came] += 1
    if came not in ("equal", "refused"):
        faults.append(f"{what}: {came}")


def checkpoints(draw, n):
    """Checkpoints with a turned bit or a lost sector."""
    counts, faults = Counter(), []
    expected = trained(training(None, 2))
    with tempfile.TemporaryDirectory() as folder:
        # Killed on its way, so that a file that is taken has something to go on to.
        found = []
        for attempt in range(1, 50):
            apart(lambda: trained(training(folder, 2)), kill_after=0.05 * attempt)
            if found := list(Path(folder).glob("*.pt")):
                break
        good = found[0].read_bytes()
        for i in range(n):
            found[0].write_bytes(damaged(good, draw))
            run = training(folder, 2)
            judged(counts, faults, f"checkpoint {i}", expected, lambda run=run: trained(run))
    return counts, faults


def folders(saved, draw, n):
    """Saved folders with a turned bit or a lost sector in one of their files."""
    counts, faults = Counter(), []
    for i in range(n):
        name = draw.choice(sorted(saved))
        folder, _, expected = saved[name]
        path = draw.choice(sorted(folder.iterdir()))
        good = path.read_bytes()
        path.write_bytes(damaged(good, draw))
        what = f"{name}, {path.name} {i}"
        judged(
            counts,
            faults,
            what,
            expected,
            lambda folder=folder: digest(used(skcontrast.load(folder))),
        )
        path.write_bytes(good)
    return counts, faults


# ----------------------------------------------------------------- threads, and a full disk


def threads(saved, n):
    """Eight threads that save to one folder and load from it, and that fit with checkpoints."""
    counts, faults = Counter(), []
    names = sorted(saved)[:8]
    answers = {saved[name][2] for name in names}
    with tempfile.TemporaryDirectory() as place:
        folder, runs = Path(place) / "model", Path(place) / "runs"
        skcontrast.save(saved[names[0]][1], folder)
        alone = trained(training(None, 2))

        def work(name):
            for _ in range(n):
                try:
                    skcontrast.save(saved[name][1], folder)
                    whole = digest(used(skcontrast.load(folder))) in answers
                except Exception as error:
                    whole = faults.append(f"thread {name}: {type(error).__name__}: {error}")
                counts["saved and loaded whole" if whole else "BROKEN"] += 1
            same = trained(training(runs, 2)) == alone
            counts["fitted, equal" if same else "fitted, DIFFERENT"] += 1

        workers = [threading.Thread(target=work, args=(name,)) for name in names]
        [worker.start() for worker in workers]
        [worker.join() for worker in workers]
        left = sorted(path.name for path in (*folder.iterdir(), *runs.iterdir()))
    if counts["BROKEN"] or counts["fitted, DIFFERENT"] or len(left) != 3:
        faults.append(f"threads: {dict(counts)}, files {left}")
    return counts, faults


def full_disks(saved, draw, n):
    """Saves and checkpoints where the disk is full at a random byte: the old ones stay whole."""
    counts, faults = Counter(), []
    names = sorted(saved)
    expected = trained(training(None, 2))
    for i in range(n):
        old, new = draw.sample(names, 2)
        with tempfile.TemporaryDirectory() as place:
            folder, runs = Path(place) / "model", Path(place) / "runs"
            skcontrast.save(saved[old][1], folder)
            try:
                with full_disk(draw.randrange(8000)):
                    if i % 2:
                        training(runs, 2).fit(X, Y)
                    else:
                        skcontrast.save(saved[new][1], folder)
                came, result = "took it", {saved[new][2], saved[old][2]}
            except Exception as error:
                named = one_sentence(error) and "cannot be written" in str(error)
                came, result = "said so" if named else f"UNCLEAR {error}", {saved[old][2]}
            whole = digest(used(skcontrast.load(folder))) in result
            left = [path.name for path in Path(place).rglob("*.partial")]
            same = not i % 2 or trained(training(runs, 2)) == expected
        counts[came.partition(" UNCLEAR")[0]] += 1
        if left or not whole or not same or came.startswith("UNCLEAR"):
            faults.append(f"full disk, {old} then {new}: {came}, left {left}, whole {whole} {same}")
    return counts, faults


def sections(saved, seed, part):
    """Name of each section, and what does it."""
    n = {
        "kills": 60,
        "checkpoints": 500,
        "folders": 1000,
        "threads": 20,
        "disk": 60,
        "hostile": 1000,
    }
    n = {name: max(2, round(number * part)) for name, number in n.items()}
    return {
        "killed fits": lambda: kills(random.Random(seed), n["kills"]),
        "damaged checkpoints": lambda: checkpoints(random.Random(seed), n["checkpoints"]),
        "damaged folders": lambda: folders(saved, random.Random(seed), n["folders"]),
        "eight threads": lambda: threads(saved, n["threads"]),
        "a full disk": lambda: full_disks(saved, random.Random(seed), n["disk"]),
        "hostile folders": lambda: hostile(saved, random.Random(seed), n["hostile"]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    saved, n_faults = {}, 0
    with tempfile.TemporaryDirectory() as place:
        for name, model in models().items():
            folder = Path(place) / name
            skcontrast.save(model, folder)
            saved[name] = folder, model, digest(used(model))
        for title, run in sections(saved, options.seed, options.part).items():
            start = time.time()
            counts, faults = run()
            said = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
            print(f"{title:20} {said} ({time.time() - start:.0f} s)", flush=True)
            for fault in faults[:10]:
                print(f"  FAULT {fault}")
            n_faults += len(faults)
    print(f"{n_faults} faults")
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
