"""Inner products of the gradients of a network, without holding many gradients.

With g_v(x) the gradient of <v, f(x)> with respect to the parameters, the three classes here
give the sums over directions v of <g_v(x), g_v(x')>: exactly for any network, exactly for a
network of affine layers at a small part of the cost, and from random projections.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

# Numbers held at once: 256 MiB in float32.
BUDGET = 2**26
# Fewer rows at a time, and the gradients of the others are taken over and over again.
LEAST_ROWS = 16
# Rows of the projection that are drawn at once.
CHUNK = 4096
# Affine layers: sums over pairs of so many rows are held for each layer.
MOST_ROWS = 2048

BATCH_NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm


class Network:
    """A copy of a torch module (n, d) -> (n, C) in evaluation mode, and its parameters."""

    def __init__(self, module, dtype, device):
        self.module = copy.deepcopy(module).to(device=device, dtype=dtype).eval()
        self.dtype, self.device = dtype, device
        named = self.module.named_parameters()
        self.parameters = {name: p for name, p in named if p.requires_grad}
        self.name = type(module).__name__
        if not self.parameters:
            raise ValueError(
                f"TangentKernel: the {self.name} has no parameter that requires a gradient: call "
                "requires_grad_(True) on it."
            )

    def width(self, rows):
        """Number C of outputs, from a forward pass of ``rows`` (n, d)."""
        try:
            with torch.no_grad():
                out = self.module(rows)
            if out.ndim in (1, 2) and len(out) == len(rows):
                return out[0].numel()
            reason = f"it gave a tensor of shape {tuple(out.shape)}"
        except Exception as error:  # a user's code raises what it likes
            reason = f"{type(error).__name__}: " + str(error).partition("\n")[0]
        raise ValueError(
            f"TangentKernel: the {self.name} failed on rows of shape {tuple(rows.shape)}, which "
            f"it must map to (n, n_outputs): {reason}."
        )

    def gradients(self, rows, v, names):
        """Gradients of <v, f(x)> for each row, by parameter: (n, d), (C,) -> list of (n, p)."""
        chosen = {name: self.parameters[name].detach() for name in names}

        def output(chosen, row):
            out = functional_call(self.module, chosen, (row[None],))
            return (out.reshape(-1) * v).sum()

        try:
            with torch.no_grad():  # the other parameters would build a graph
                found = vmap(grad(output), in_dims=(None, 0))(chosen, rows)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"TangentKernel: torch.func cannot take the gradients of the {self.name} row by "
                f"row: {reason}"
            ) from error
        return [g.reshape(len(rows), -1) for g in found.values()]


def directions(width, form, like):
    """Vectors v (n_directions, C): every output alone, or their sum."""
    if form == "sum":
        return torch.ones(1, width, dtype=like.dtype, device=like.device)
    return torch.eye(width, dtype=like.dtype, device=like.device)


class Exact:
    """Gradients along v (n_directions, C): any network, 2 C P operations for a pair of rows."""

    def __init__(self, network, v):
        self.network, self.v = network, v
        # Parameters are taken in blocks, so that LEAST_ROWS rows fit.
        most, self.blocks, largest = BUDGET // (2 * LEAST_ROWS), [[]], 1
        size = 0
        for name, parameter in network.parameters.items():
            if self.blocks[-1] and size + parameter.numel() > most:
                self.blocks.append([])
                size = 0
            self.blocks[-1].append(name)
            size += parameter.numel()
            largest = max(largest, size)
        self.rows_at_once = max(1, BUDGET // (2 * largest))

    def factors(self, rows):
        """Matrices (n, p) whose inner products add up, a list for each block."""
        for v in self.v:
            for names in self.blocks:
                yield self.network.gradients(rows, v, names)

    def sums(self, a, b=None):
        """Inner products (n, m), and those of every row of a (n,) and b (m,) with itself."""
        K = a.new_zeros(len(a), len(a if b is None else b))
        diagonals = a.new_zeros(len(a)), a.new_zeros(K.shape[1])
        if b is None:
            pairs = ((A, A) for A in self.factors(a))
        else:
            pairs = zip(self.factors(a), self.factors(b))
        for A, B in pairs:
            for left, right in zip(A, B):
                K.addmm_(left, right.T)
                diagonals[0].add_(left.square().sum(1))
                diagonals[1].add_(right.square().sum(1))
        return K, *diagonals

    def diagonal(self, a):
        """Inner products of every row with itself: (n,)."""
        out = a.new_zeros(len(a))
        for A in self.factors(a):
            for part in A:
                out += part.square().sum(1)
        return out


class Projection:
    """Random matrix (P, K) with the variance 1 / K, drawn in pieces when it is needed.

    P is ``n_parameters``, K ``n_projections``; a small matrix is kept.
    """

    def __init__(self, n_projections, kind, seed, n_parameters):
        self.n_projections, self.kind, self.seed = n_projections, kind, seed
        self.kept = {} if n_parameters * n_projections <= BUDGET else None

    def piece(self, tensor, start, size, like):
        """Rows from ``start`` on, of the parameter tensor number ``tensor``: (size, K)."""
        key = tensor, start
        if self.kept is not None and key in self.kept:
            return self.kept[key]
        state = np.random.SeedSequence([self.seed, tensor, start]).generate_state(1)[0]
        # On the CPU, so that every device and dtype gets the same numbers.
        generator = torch.Generator().manual_seed(int(state))
        shape = size, self.n_projections
        if self.kind == "normal":
            R = torch.randn(shape, generator=generator)
        else:
            R = torch.randint(0, 2, shape, generator=generator) * 2.0 - 1.0
        R = R.to(like) / self.n_projections**0.5
        if self.kept is not None:
            self.kept[key] = R
        return R


class Projected(Exact):
    """Random projections of the gradients: C K operations for a pair of rows.

    The gradients of a row are multiplied by a matrix R (P, K), the same one for every output;
    the expected inner products are the exact ones.
    """

    def __init__(self, network, v, projection):
        super().__init__(network, v)
        self.projection = projection
        self.inner_rows = 2 * self.rows_at_once
        self.rows_at_once = max(1, BUDGET // (2 * projection.n_projections))

    def factors(self, rows):
        """One matrix (n, K) for each direction."""
        for v in self.v:
            parts = rows.split(self.inner_rows)
            yield [torch.cat([self._projected(part, v) for part in parts])]

    def _projected(self, rows, v):
        out, tensor = 0, 0
        for names in self.blocks:
            for G in self.network.gradients(rows, v, names):
                for start in range(0, G.shape[1], CHUNK):
                    piece = G[:, start : start + CHUNK]
                    out = out + piece @ self.projection.piece(tensor, start, piece.shape[1], G)
                tensor += 1
        return out


class NotLayered(Exception):
    """The network is more than affine layers on vectors, each used once."""


class Layered:
    r"""A network whose parameters are those of affine layers: no gradient is ever formed.

    The gradient of a layer z = W h + b is the outer product of h and of the gradient
    :math:`\delta` with respect to z, so that its inner products are

    .. math:: \langle \delta, \delta' \rangle (\langle h, h' \rangle + 1)

    Where other parameters require a gradient too, NotLayered is raised.
    """

    def __init__(self, network, v):
        self.network, self.v = network, v
        self.layers, seen = [], set()
        for layer in network.module.modules():
            own = {k: p for k, p in layer.named_parameters(recurse=False) if p.requires_grad}
            affine = type(layer) is nn.Linear or getattr(layer, "is_affine_map", False)
            # A parameter that two layers share has a gradient from both.
            held = {id(p) for p in own.values()}
            if own and (not affine or own.keys() - {"weight", "bias"} or seen & held):
                raise NotLayered
            seen |= held
            if own:
                self.layers.append((layer, float("weight" in own), float("bias" in own)))
        width = sum(p.shape[0] + p.shape[-1] for p in network.parameters.values())
        self.rows_at_once = min(MOST_ROWS, max(LEAST_ROWS, BUDGET // (8 * width)))

    def _forward(self, rows):
        """Outputs (n, C), and input and output of each layer."""
        kept = {}

        def keep(layer, args, out):
            if layer in kept or out.ndim != 2 or len(out) != len(rows):
                raise NotLayered
            kept[layer] = args[0].detach(), out
            # An activation that works in place must not overwrite it.
            return out.clone()

        hooks = [layer.register_forward_hook(keep) for layer, *_ in self.layers]
        try:
            with torch.enable_grad():
                out = self.network.module(rows).reshape(len(rows), -1)
        finally:
            for hook in hooks:
                hook.remove()
        if len(kept) < len(self.layers):
            raise NotLayered
        return out, *zip(*(kept[layer] for layer, *_ in self.layers))

    def _deltas(self, out, outputs):
        """Gradients with respect to the layers' outputs, a list for each direction."""
        for v in self.v:
            found = torch.autograd.grad(
                out, outputs, v.expand_as(out), retain_graph=True, allow_unused=True
            )
            yield [torch.zeros_like(z) if d is None else d for d, z in zip(found, outputs)]

    def sums(self, a, b=None):
        """Inner products (n, m), and those of every row of a (n,) and b (m,) with itself."""
        # One pass for both; rows do not meet in a network in evaluation mode.
        out, inputs, outputs = self._forward(a if b is None else torch.cat([a, b]))
        first = slice(0, len(a))
        second = first if b is None else slice(len(a), None)
        n, m = len(a), len(out[second])
        S = [a.new_zeros(n, m) for _ in self.layers]
        squares = [a.new_zeros(len(out)) for _ in self.layers]
        for deltas in self._deltas(out, outputs):
            for delta, s, square in zip(deltas, S, squares):
                s.addmm_(delta[first], delta[second].T)
                square.add_(delta.square().sum(1))
        K, diagonal = a.new_zeros(n, m), a.new_zeros(len(out))
        for (_, weight, bias), h, s, square in zip(self.layers, inputs, S, squares):
            K += s * (weight * (h[first] @ h[second].T) + bias)
            diagonal += square * (weight * h.square().sum(1) + bias)
        return K, diagonal[first], diagonal[second]

    def diagonal(self, a):
        """Inner products of every row with itself: (n,)."""
        out, inputs, outputs = self._forward(a)
        squares = [a.new_zeros(len(a)) for _ in self.layers]
        for deltas in self._deltas(out, outputs):
            for delta, square in zip(deltas, squares):
                square.add_(delta.square().sum(1))
        terms = zip(self.layers, inputs, squares)
        return sum(s * (w * h.square().sum(1) + b) for (_, w, b), h, s in terms)


def is_layered(network, rows):
    """Whether :class:`Layered` gives what :class:`Exact` gives, on a few rows."""
    width = network.width(rows)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(1, width, generator=generator).to(rows)
    try:
        fast = Layered(network, v).sums(rows)[0]
    except NotLayered:
        return False
    # A weight may be read outside of the layer that holds it, which no hook sees.
    slow = Exact(network, v).sums(rows)[0]
    tolerance = torch.finfo(rows.dtype).eps ** 0.5
    return bool((fast - slow).norm() <= tolerance * slow.norm())


def summation(network, rows, form, projection=None):
    """The way to take the inner products for a network, tried on a few rows (n, d)."""
    v = directions(network.width(rows), form, rows)
    if projection is not None:
        return Projected(network, v, projection)
    return Layered(network, v) if is_layered(network, rows) else Exact(network, v)
