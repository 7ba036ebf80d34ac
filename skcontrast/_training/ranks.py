"""One training in several processes, as ``torchrun`` or ``accelerate launch`` starts them.

Each process draws the same batches and makes the same views, sends its share of the rows through
the encoder, and gets the embeddings of the others. The loss is then that of the whole batch, in
every process, whatever the objective. Of the gradient at the embeddings each process takes back
that of its own rows, so that the gradients of the encoder add up to those of one process.
"""

import os
from datetime import timedelta
from itertools import islice
from multiprocessing import current_process

import torch
import torch.distributed as dist

from skcontrast._draws import draws_state, initial_seed, set_draws_state
from skcontrast._training.chunks import check_norms, in_chunks
from skcontrast._training.devices import own_gpu, seeded

# What a launcher tells each process that it starts.
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# A process that does not answer for so long is taken for dead.
PATIENCE = timedelta(minutes=30)


class Alone:
    """The only process of a training."""

    rank = 0

    def begin(self, step):
        """Note which step comes."""

    def encode(self, function, x, chunk_size, *beside, dim=0):
        """``function`` of the batch ``x``, as :func:`in_chunks` evaluates it."""
        return in_chunks(function, x, chunk_size, *beside, dim=dim)

    def add_gradients(self, encoder):
        """Bring the gradients of an encoder to those of all rows."""

    def once(self, function, *args):
        """What ``function(*args)`` gives, evaluated by one process."""
        return function(*args)

    def check_network(self, encoder):
        """Raise where rows of a batch would be seen by each other in their share alone."""

    def share(self, *modules):
        """Start from the weights of one process."""

    def check_same(self, describe):
        """Raise where processes train different things, by what ``describe()`` says of them."""


class Ranks(Alone):
    """One of several processes that train together."""

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.step = self.n_encoded = 0

    def begin(self, step):
        self.step, self.n_encoded = step, 0

    def encode(self, function, x, chunk_size, *beside, dim=0):
        size = -(-len(x) // self.size)
        counts = [len(part) for part in x.split(size)]
        counts += [0] * (self.size - len(counts))
        # Without a row of its own a process still takes part, for the sake of its gradients.
        at, size = (self.rank, size) if counts[self.rank] else (0, 1)
        mine = [next(islice(each.split(size), at, None)) for each in (x, *beside)]
        # Numbers drawn by the network are of this process alone: all others stay in step.
        self.n_encoded += 1
        place = (self.step * 64 + self.n_encoded) * self.size + self.rank
        with seeded((initial_seed() + place) % 2**63, x.device):
            out = in_chunks(function, mine[0], chunk_size, *mine[1:], dim=dim)
        if torch.is_tensor(out):
            return self._gathered(out, counts, dim)
        return tuple(self._gathered(each, counts, dim) for each in out)

    def _gathered(self, out, counts, dim):
        own = out.narrow(dim, 0, counts[self.rank]).movedim(dim, 0)
        return _Gather.apply(own, counts, self.rank).movedim(0, dim)

    def add_gradients(self, encoder):
        grads = [p.grad for p in encoder.parameters() if p.grad is not None]
        if not grads:
            return
        flat = torch.cat([grad.flatten() for grad in grads])
        _together(dist.all_reduce, flat)
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads])):
            grad.copy_(part.view_as(grad))

    def check_network(self, encoder):
        check_norms(f"The fit is shared by {self.size} processes", "one process", encoder)

    def share(self, *modules):
        # A module that was given is another one in each process.
        for module in modules:
            for tensor in module.state_dict().values():
                _together(dist.broadcast, tensor, src=0)

    def once(self, function, *args):
        found, before = [None], _generators()
        if self.rank == 0:
            try:
                value = function(*args)
                now = _generators()
                drew = not all(map(torch.equal, before, now))
                found = [(value, now if drew else None, None)]
            except Exception as error:  # the others would wait for ever
                found = [(None, None, error)]
        _together(dist.broadcast_object_list, found, src=0)
        value, drawn, failure = found[0]
        if failure is not None:
            raise failure
        if drawn is not None:
            _set_generators(drawn)
        return value

    def check_same(self, describe):
        told = [None] * self.size
        _together(dist.all_gather_object, told, describe())
        if len(set(told)) > 1:
            raise ValueError(
                f"The {self.size} processes of this launch fit different rows or parameters, and "
                "train one model together: give all of them the same X and parameters, where a "
                "memory map need not be copied, or start them without a launcher."
            )


def _generators():
    """States of the generators that a training may draw from."""
    cuda = [torch.cuda.get_rng_state(own_gpu())] if torch.cuda.is_initialized() else []
    return [draws_state(), *cuda]


def _set_generators(states):
    set_draws_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state, own_gpu())


class _Gather(torch.autograd.Function):
    """Rows of all processes, in their order; backward, those of this one."""

    @staticmethod
    def forward(ctx, x, counts, rank):
        ctx.start, ctx.count = sum(counts[:rank]), counts[rank]
        padded = x.new_zeros((max(counts), *x.shape[1:]))
        padded[: len(x)] = x
        parts = [torch.empty_like(padded) for _ in counts]
        _together(dist.all_gather, parts, padded)
        return torch.cat([part[:n] for part, n in zip(parts, counts)])

    @staticmethod
    def backward(ctx, grad):
        return grad[ctx.start : ctx.start + ctx.count], None, None


def _together(collective, *args, **options):
    """A step that all processes take; one that is gone ends the others with a sentence."""
    try:
        return collective(*args, **options)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConnectionError(
            f"Another process of this training has ended or cannot be reached ({first}): start "
            "all of them again; with checkpoint= they go on from the last file written."
        ) from error


def _meet(backend):
    """Start the group that the launcher has told of."""
    store, rank, size = next(dist.rendezvous("env://", timeout=PATIENCE))
    # torchrun keeps the store when it starts all anew, with the addresses of those that ended.
    store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)


def processes():
    """The processes that a fit of now is shared by, which a launcher may have started."""
    if not dist.is_available():
        return Alone()
    if not dist.is_initialized():
        # The workers of a search have what the launcher told the process that began them.
        told = current_process().name == "MainProcess" and set(LAUNCHED) <= os.environ.keys()
        if not told or os.environ["WORLD_SIZE"] == "1":
            return Alone()
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        _together(_meet, backend)
    return Ranks() if dist.get_world_size() > 1 else Alone()
