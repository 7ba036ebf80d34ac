"""The modules of a training: network, criterion, the view of each slot, the batches."""

import copy

import torch

from skcontrast._component import resolve, resolve_for, warn
from skcontrast._draws import initial_seed
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import prepared
from skcontrast._inputs.stacked import Stacked
from skcontrast._inputs.stream import Streamed
from skcontrast._inputs.target import parts_of
from skcontrast._output import Output
from skcontrast._training.chunks import check_norms
from skcontrast._training.devices import DTYPES, seeded
from skcontrast._training.embed import FORWARD_ROWS, lasting, load_arrays, to_tensors
from skcontrast._training.frozen import freeze
from skcontrast._training.network import ViewNetwork
from skcontrast.networks import NETWORKS, NETWORKS_OF, build_network, build_projector
from skcontrast.networks._momentum import Momentum
from skcontrast.samplers import OnePerGroup, Uniform, WholeGroups, in_order
from skcontrast.views import (
    build_negatives,
    build_slots,
    build_views,
    makes_negatives,
    members,
    partners,
)
from skcontrast.views._partners import block_view


def build(estimator, fitted, rows, given, call):
    """Network and criterion of a training: new ones, or the fitted ones to go on with.

    Parameters
    ----------
    estimator : estimator

    fitted : dict
        Fitted attributes, with ``input_`` and ``objective_``; what describes the modules is
        added.

    rows : Rows

    given : dict
        Side information by name, as it was given.

    call : Call
    """
    if call.further:
        names = ("network_", "projector_", "_width")
        fitted |= {name: vars(estimator)[name] for name in names}
    else:
        fitted |= _described(estimator, fitted, rows)
    source, dtype = fitted["input_"], DTYPES[estimator.precision]
    module, width = build_module(fitted, source.layout, dtype, source.choices["width"])
    if estimator.chunk_size is not None:
        module.chunk_size = int(estimator.chunk_size)  # torch takes no number of NumPy
        why = f"chunk_size={estimator.chunk_size} encodes some rows at a time"
        check_norms(why, "chunk_size=None", module)
    objective = fitted["objective_"]
    _check_present(objective, rows)
    module.gives_rows = "rows" in objective.requires
    module.counts_steps = module.gives_rows or "step" in objective.requires
    module.gives_steps = _are_steps_needed(objective, rows, module.encoder, fitted["network_"])
    # Before the end there are the learned columns alone.
    fitted |= {"_width": width, "n_components_": width, "output_": Output()}
    criterion = objective.build(rows.n_rows)
    # Classes of a later call too, whose rows need not be of every class.
    known = {"classes": fitted.get("classes_"), "targets": fitted.get("targets_"), "rows": rows}
    known["n_slots"] = rows.n_given or estimator.n_views
    known["n_gates"] = _count_gates(objective, module.encoder)
    width = getattr(module.encoder, "n_shared", width)
    known["width"] = _width_of(module.projector, width)
    known["momentum"] = vars(estimator).get("momentum")
    prepared(criterion, rows.side, {**given, **known}, width)
    criterion = criterion.to(dtype)
    with seeded(initial_seed(), rows.device):
        own = objective.own_views(rows.kind)
        module.own_views = {term: build_views(view, rows) for term, view in own.items()}
    if call.further:
        _go_on(estimator, module, criterion)
    elif hasattr(module.encoder, "prepare"):
        module.encoder.prepare(rows)
    freeze(module, getattr(estimator, "trainable", "all"))
    _add_momentum(estimator, module, objective, call)
    return module, criterion


def _add_momentum(estimator, module, objective, call):
    """Let a momentum network start, or go on, where an objective reads its keys."""
    momentum = vars(estimator).get("momentum")
    if momentum is None:
        return
    if "keys" not in objective.requires:
        if not call.second:
            warn(
                f"momentum={momentum} makes keys, which objective={one_line(objective)} does not "
                "read: leave it out, or type objective=InfoNCE(queue_size=4096).",
            )
        return
    parts = {"encoder": module.encoder, "projector": module.projector}
    module.momentum = Momentum(momentum, parts)
    # What stays in evaluation mode does so in the copy.
    names = [n for n, m in module.encoder.named_modules() if any(m is f for f in module.frozen)]
    copied = module.momentum.get_submodule("encoder")
    module.frozen = [*module.frozen, *(copied.get_submodule(name) for name in names)]
    if call.further and not call.second and "_momentum_state" in vars(estimator):
        load_arrays(module.momentum, estimator._momentum_state)
    module.gives_keys = _reads_keys(objective, module.own_views)
    module.taught = [term for term in module.own_views if "keys" in term.requires]


def _reads_keys(objective, own_views):
    """Whether a term reads keys of the views that all share."""
    if objective.terms:
        return any(_reads_keys(term, own_views) for term in objective.terms)
    return "keys" in objective.requires and objective not in own_views


@torch.no_grad()
def _width_of(projector, n_in):
    """Columns of a projection of ``n_in`` columns."""
    if isinstance(projector, torch.nn.Identity):
        return n_in
    # A copy, as a pass may fill in what a module finds out by itself.
    projector = copy.deepcopy(projector).eval()
    first = next(projector.parameters(), torch.zeros(()))
    return projector(first.new_zeros(2, n_in)).shape[1]


def _described(estimator, fitted, rows):
    """Networks as descriptions without weights, and the learned width that is asked for."""
    source, projector = fitted["input_"], estimator.projector
    network = estimator._settled("network", estimator.network, source)
    advice = f"network={source.choices['network']!r}{source.hint}"
    network = resolve_for(source.kind, network, NETWORKS_OF, "network", advice, "numbers")
    return {
        "network_": network.suited(rows) if hasattr(network, "suited") else network,
        "projector_": None if projector is None else resolve(projector, NETWORKS),
        # Beside parts ``n_components`` counts the columns of all of them.
        "_width": estimator._widths(source, estimator._parts(fitted["objective_"], source))[0],
    }


def build_module(described, n_features, dtype, width=None):
    """Encoder and projector as one module, and the number of learned columns.

    Parameters
    ----------
    described : dict
        ``network_``, ``projector_`` and ``_width``, the number of learned columns; where that
        is None the network says it, else ``width``.

    n_features : int

    dtype : torch.dtype

    width : int, default=None
    """
    network, learned = described["network_"], described["_width"]
    encoder, learned = build_network(network, n_features, learned, width=width)
    projector = build_projector(described["projector_"], getattr(encoder, "n_shared", learned))
    return ViewNetwork(encoder, projector).to(dtype), learned


def _are_steps_needed(objective, rows, encoder, network):
    """Whether an objective reads the embedding of each step, which the encoder then has to give."""
    needs = objective.requires
    needed = "steps" in needs or "rows" in needs and rows.kind == "series"
    if needed and not hasattr(encoder, "steps"):
        raise ValueError(
            f"objective={one_line(objective)} reads the steps of series, and "
            f"{type(network).__name__} embeds no steps: type objective='info_nce', or "
            "SeriesContrastiveEncoder(network='dilated'), or pass a network whose module has a "
            "method steps(batch)."
        )
    return needed


def _count_gates(objective, encoder):
    """Number of experts of an encoder, 0 where it has none, which an objective may need."""
    n_gates = len(getattr(encoder, "experts", ()))
    if "gates" in objective.requires and not n_gates:
        raise ValueError(
            f"objective={one_line(objective)} reads the gates of experts, and this network "
            "has none: type network='experts'."
        )
    return n_gates


def _check_present(objective, rows):
    """Raise where rows lack blocks, and an objective would read those that they lack."""
    if getattr(rows, "present", None) is not None and not objective.accepts_missing:
        lacking = [n for n, there in zip(rows.names, rows.present) if not there.all()]
        term = next((c for c in parts_of([objective]) if not c.accepts_missing), objective)
        raise ValueError(
            f"Some rows lack the blocks {', '.join(map(repr, lacking))}, which "
            f"{type(term).__name__} does not take: type objective='pairwise', 'one_to_k' or "
            "'symile' alone, or leave these rows out."
        )


def _go_on(estimator, module, criterion):
    """Write the fitted weights of an estimator into modules that were built anew."""
    load_arrays(module, estimator.weights_)
    state = to_tensors(estimator.objective_weights_)
    now = {name: tensor.shape for name, tensor in lasting(criterion).items()}
    if now == {name: tensor.shape for name, tensor in state.items()}:
        criterion.load_state_dict(state, strict=False)  # a queue starts anew, with these rows
    elif state.keys() == now.keys():
        raise ValueError(
            f"objective={one_line(estimator.objective)} keeps a state for each row, class or "
            "column of y: pass the same as before, or fit with warm_start=False."
        )


def rows(source, X, side, dtype, device, train_index, ranks):
    """The rows of a training, of what an input has checked; ``ranks`` are its processes."""
    options = {"dtype": dtype, "device": device, "train_index": train_index}
    if isinstance(X, (Stacked, Streamed)):
        made = X.training(source.rows, side, **options)
    else:
        made = source.rows(X, side, **options)
    made.once = ranks.once
    return made


def seen(X, n_views, views):
    """How many views of a row an objective is handed, and whether the last may be a negative."""
    n_given = getattr(X, "n_given", 0)
    return n_given or n_views, n_given > 2 or makes_negatives(views)


def are_none(views):
    """Whether these views change nothing."""
    return views is None or isinstance(views, (list, tuple)) and not views


def slot_views(views, n_views, clean_anchor, rows, network, objective, choices):
    """The function that makes each view of a batch; None where it is the rows themselves.

    Rows that are given to each other, by ``groups`` or as blocks, are the views of one another.

    Parameters
    ----------
    views : what may stand for views

    n_views : int

    clean_anchor : bool

    rows : Rows

    network : ViewNetwork

    objective : Objective

    choices : dict
        What this kind of row takes by default, for the message.
    """
    if not objective.min_views:  # its terms are handed views of their own alone
        return []
    given = "pairs" in rows.side and n_views > 1 or rows.n_given
    few = rows.train_index[:8]
    if are_none(views) and n_views > 1 and not given and not network.is_random(rows.take(few)):
        one = " or n_views=1" if objective.min_views == 1 else ""
        raise ValueError(
            f"views={views!r} and a network without dropout make all n_views={n_views} views of "
            f"a row equal: type views={choices['views']!r}, or a network with dropout=0.1{one}."
        )
    if rows.stacked:
        _check_own(views)
    n = rows.n_given if rows.stacked else n_views
    # A single view is the changed row, or ``views`` would mean nothing.
    clean = bool(clean_anchor and n > 1)
    made = [None] * clean + build_slots(views, rows, n - clean, network)
    if rows.stacked:
        return [view and block_view(rows, view, v) for v, view in enumerate(made)]
    if "pairs" in rows.side and n_views > 1:
        made[1:] = [partners(rows, view) for view in made[1:]]
    if objective.hard_negatives and not rows.n_given:
        made[-1] = build_negatives(views, rows)
    return made


def _check_own(views):
    """Raise where a view reads what stands beside X, of texts that are given as blocks."""
    for view in members(views):
        for name in getattr(view, "requires", ()):
            raise ValueError(
                f"views={views!r} reads {name}, of which there is one a row, and X is blocks of "
                "texts: type views='auto'."
            )


def build_batches(sampler, rows, batch_size, objective):
    """What an epoch goes through: rows that belong together never meet as negatives.

    Those of a list do meet, where the objective asks for whole groups.
    """
    sizes = batch_size, objective.min_rows
    if rows.passing:
        if not isinstance(sampler, Uniform):
            raise ValueError(
                f"sampler={sampler!r} chooses among all rows, and those of a stream pass by: type "
                "sampler='uniform'."
            )
        return rows.in_turn(*sizes)
    if objective.whole_groups:
        if not isinstance(sampler, Uniform):
            raise ValueError(
                f"objective={one_line(objective)} reads all rows of a group together, which "
                f"sampler={one_line(sampler)} would part: type sampler='uniform'."
            )
        return WholeGroups(rows, rows.train_index, *sizes)
    if "pairs" in rows.side and isinstance(sampler, Uniform):
        return OnePerGroup(rows, *sizes)
    return sampler.build(rows, *sizes)


def held_out_batches(held_out, rows, batch_size, objective):
    """Batches of the rows held out, the same after each epoch; None where there are none."""
    if held_out is None or not objective.whole_groups:
        return in_order(held_out, rows, batch_size, objective.min_rows)
    index = torch.as_tensor(held_out, device=rows.index_device)
    return list(WholeGroups(rows, index, batch_size, objective.min_rows))


@torch.no_grad()
def embed_view(encoder, views, rows):
    """Embedding (n, d) of one random view of each row, or None where nothing is random."""
    # A copy, as the mode of the encoder itself is not to change.
    encoder = copy.deepcopy(encoder).to(rows.device)
    view, nothing = build_views(views, rows), are_none(views)
    network = ViewNetwork(encoder, torch.nn.Identity())
    if nothing and not network.is_random(rows.take(rows.train_index[:8])):
        return None
    encoder.train(nothing)  # the view is then that of the dropout
    parts = rows.train_index.split(FORWARD_ROWS)
    out = [encoder(view(rows.take(i), i.to(rows.device))).cpu() for i in parts]
    return torch.cat(out).numpy()
