"""Training beside other packages: CPU seconds of as many steps, and to an equal loss.

    python benchmarks/peers.py [--repeats 3] [--epochs 10] [--write docs/speed.md]

Rows of scikit-learn's digits, one network, batch size, optimizer and thread. In each repeat all
train in turns: a plain loop around lightly's loss and SCARF of TabularS3L, with a corrupted copy of
a row as its positive, and CEBRA, with another row of the class. After each epoch the weights are
kept, and later one loss, of fixed views of all rows, is read off them: the time to an equal loss is
that to the higher one of the two last losses. The probe is a logistic regression on the embedding.
What is not installed is left out.

The loss of pytorch-metric-learning (2.9) compares each positive pair with each negative one, which
takes seconds a step at this batch size: it is no part of this.
"""

import argparse
import importlib.util
import logging
import statistics
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from parts import write_table
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback

from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import MLP, build_network
from skcontrast.objectives import InfoNCE
from skcontrast.optimizers import AdamW
from skcontrast.views import VIEWS

BATCH, N_TRAIN, WIDTH, TAU, RATE, DECAY = 128, 1280, 64, 0.2, 1e-3, 1e-4
OPTIONS = {"lr": RATE, "weight_decay": DECAY}
LAYERS = MLP(hidden_layer_sizes=(256, 256))


class Clock:
    """CPU seconds of a training, and its weights after each epoch, whose copying does not count."""

    def __init__(self):
        self.seconds, self.marks = 0.0, []
        self.start = time.process_time()

    def lap(self, network):
        self.seconds += time.process_time() - self.start
        weights = {name: w.detach().clone() for name, w in network.state_dict().items()}
        self.marks.append((self.seconds, weights))
        self.start = time.process_time()


class EachEpoch(Callback):
    """Tells a clock of each epoch of an encoder."""

    def __init__(self, clock):
        self.clock = clock

    def on_epoch_end(self, net, **kwargs):
        self.clock.lap(net.module_.encoder)


def new_network():
    return build_network(LAYERS, WIDTH, WIDTH)[0]


def ours(view, form):
    """A fit of ContrastiveEncoder."""

    def train(X, y, n_epochs, seed):
        clock = Clock()
        model = ContrastiveEncoder(
            WIDTH,
            passthrough=False,
            objective=InfoNCE(temperature=TAU, form=form),
            views=view,
            network=LAYERS,
            standardize=False,
            optimizer=AdamW(weight_decay=DECAY, schedule="constant", warmup=0.0),
            learning_rate=RATE,
            batch_size=BATCH,
            max_iter=n_epochs,
            callbacks=[EachEpoch(clock)],
            random_state=seed,
        )
        model.fit(X, **({"groups": y} if view == "same_group" else {}))
        return clock

    return train


def lightly(X, y, n_epochs, seed):
    """A loop as one writes it around the loss of lightly."""
    from lightly.loss import NTXentLoss

    torch.manual_seed(seed)
    clock = Clock()
    data, network, loss = torch.as_tensor(X), new_network().train(), NTXentLoss(temperature=TAU)
    view = VIEWS["corruption"]().build(table_rows(X))
    optimizer = torch.optim.AdamW(network.parameters(), **OPTIONS)
    for _ in range(n_epochs):
        for index in torch.randperm(len(data)).split(BATCH):
            x = data[index]
            z1, z2 = network(torch.cat([x, view(x, index)])).chunk(2)
            optimizer.zero_grad()
            loss(z1, z2).backward()
            optimizer.step()
        clock.lap(network)
    return clock


def scarf(X, y, n_epochs, seed):
    """SCARF of TabularS3L, by its data set and Lightning module, with our network in it."""
    import pandas as pd
    import pytorch_lightning as pl
    from ts3l.pl_modules import SCARFLightning
    from ts3l.utils.backbone_utils import MLPBackboneConfig
    from ts3l.utils.embedding_utils import IdentityEmbeddingConfig
    from ts3l.utils.scarf_utils import SCARFConfig, SCARFDataset

    class Lap(pl.Callback):
        def on_train_epoch_end(self, trainer, module):
            clock.lap(module.model.backbone_module)

    clock = Clock()
    config = SCARFConfig(
        task="classification",
        loss_fn="CrossEntropyLoss",
        metric="accuracy_score",
        embedding_config=IdentityEmbeddingConfig(input_dim=WIDTH),
        backbone_config=MLPBackboneConfig(input_dim=WIDTH, hidden_dims=8, output_dim=WIDTH),
        output_dim=WIDTH,
        pretraining_head_dim=WIDTH,
        corruption_rate=0.6,
        tau=TAU,
        optim_hparams=OPTIONS,
        random_seed=seed,
    )
    module = SCARFLightning(config)
    module.model.backbone_module = new_network()
    module.model.pretraining_head = torch.nn.Identity()
    frame = pd.DataFrame(X)
    rows = SCARFDataset(frame, config=config, continuous_cols=list(frame), category_cols=[])
    loader = torch.utils.data.DataLoader(rows, BATCH, shuffle=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "callbacks": [Lap()]}
    pl.Trainer(max_epochs=n_epochs, **quiet).fit(module, loader)
    return clock


def cebra(X, y, n_epochs, seed):
    """CEBRA, by its loader of rows of one class and its solver, with our network in it."""
    from cebra.data import DiscreteDataLoader, TensorDataset
    from cebra.models.criterions import FixedCosineInfoNCE
    from cebra.solver import SingleSessionSolver

    class Unit(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = new_network()

        def forward(self, x):
            return F.normalize(self.network(x.squeeze(2)), dim=1)

    def lap(step, solver):
        if (step + 1) % n_steps == 0:
            clock.lap(model.network)

    torch.manual_seed(seed)
    clock, model, n_steps = Clock(), Unit(), len(X) // BATCH
    loader = DiscreteDataLoader(
        TensorDataset(X, discrete=y), num_steps=n_epochs * n_steps, batch_size=BATCH
    )
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIONS)
    solver = SingleSessionSolver(
        model=model,
        criterion=FixedCosineInfoNCE(temperature=TAU),
        optimizer=optimizer,
        tqdm_on=False,
    )
    solver.fit(loader, save_frequency=1, save_hook=lap)
    return clock


# What is compared: its module, the training, ours of the same task, and the ratio to reach.
CORRUPTED, OF_CLASS = ours("corruption", "ntxent"), ours("same_group", "one_way")
PEERS = {
    "lightly's NT-Xent in a plain loop": ("lightly", lightly, CORRUPTED, 1),
    "SCARF of TabularS3L": ("ts3l", scarf, CORRUPTED, 2),
    "CEBRA": ("cebra", cebra, OF_CLASS, 2),
}


class Judge:
    """Reads off weights the common loss of a task, and the accuracy of a probe."""

    def __init__(self, X, y):
        self.X, self.y, self.network = torch.as_tensor(X), y, new_network().eval()
        torch.manual_seed(0)
        rows = table_rows(X[:N_TRAIN], {"groups": y[:N_TRAIN]})
        index = torch.arange(N_TRAIN)
        x = self.X[:N_TRAIN]
        self.views = {
            CORRUPTED: VIEWS["corruption"]().build(rows)(x, index),
            OF_CLASS: VIEWS["same_group"]().build(rows)(x, index),
        }

    @torch.no_grad()
    def loss(self, weights, task):
        self.network.load_state_dict(weights)
        form = "ntxent" if task is CORRUPTED else "one_way"
        both = torch.stack([self.network(x) for x in (self.X[:N_TRAIN], self.views[task])])
        return float(InfoNCE(temperature=TAU, form=form)(both).mean())

    @torch.no_grad()
    def probe(self, weights):
        self.network.load_state_dict(weights)
        Z = F.normalize(self.network(self.X), dim=1).numpy()
        head = LogisticRegression(C=10, max_iter=1000).fit(Z[:N_TRAIN], self.y[:N_TRAIN])
        return head.score(Z[N_TRAIN:], self.y[N_TRAIN:])


def seconds_to_equal_loss(judge, task, *clocks):
    """CPU seconds of each training until the highest of the last losses of all."""
    curves = [[(t, judge.loss(w, task)) for t, w in clock.marks] for clock in clocks]
    level = max(curve[-1][1] for curve in curves)
    return [next(t for t, loss in curve if loss <= level) for curve in curves]


def installed():
    """The peers that are there; says which are not."""
    for name, peer in PEERS.items():
        if importlib.util.find_spec(peer[0]):
            yield name, peer
        else:
            print(f"left out: {name} ({peer[0]} is not installed)")


def measured(X, y, n_epochs, repeats):
    """Lines of the table."""
    judge, peers, found = Judge(X, y), dict(installed()), {}
    rows, classes = X[:N_TRAIN], y[:N_TRAIN]
    # The first repeat is short, and loads what is loaded late.
    for seed in range(-1, repeats):
        epochs = n_epochs if seed >= 0 else 1
        for name, (_, theirs, task, _) in peers.items():
            pair = [train(rows, classes, epochs, abs(seed)) for train in (task, theirs)]
            if seed < 0:
                continue
            steps = [clock.seconds for clock in pair]
            equal = seconds_to_equal_loss(judge, task, *pair)
            probes = [judge.probe(clock.marks[-1][1]) for clock in pair]
            found.setdefault(name, []).append([*steps, *equal, *probes])
            print(name, *(f"{value:.3f}" for value in found[name][-1]), flush=True)
    head = "| beside | steps: ours, theirs | ratio | equal loss: ours, theirs | ratio | aim "
    yield head + "| probe: ours, theirs |"
    yield "|---|---|---|---|---|---|---|"
    for name, values in found.items():
        a, b, c, d, e, f = (statistics.median(column) for column in zip(*values))
        times = f"{a:.2f} s, {b:.2f} s | {b / a:.2f} | {c:.2f} s, {d:.2f} s | {d / c:.2f}"
        yield f"| {name} | {times} | {peers[name][3]} | {e:.3f}, {f:.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    X, y = digits.data[order], digits.target[order]
    X = ((X - X.mean(0)) / (X.std(0) + 1)).astype(np.float32)
    lines = list(measured(X, y, args.epochs, args.repeats))
    print(*lines, sep="\n")
    if args.write:
        write_table(args.write, "peers", lines)


if __name__ == "__main__":
    main()
