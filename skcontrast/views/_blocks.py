"""Views of rows of several blocks: each block is changed by a view of its own."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from skcontrast._inputs.block_rows import BlockBatch, BlockRows
from skcontrast._inputs.blocks import check_name
from skcontrast.views._tabular import Corruption

# A row has partners in its other blocks, so that its own changes may be small.
AUTO = {"numbers": Corruption(rate=0.2), "tokens": "word_deletion"}


def by_block(views: Any, rows: BlockRows, build: Callable) -> Callable:
    """Make one function of a BlockBatch of what stands for views of several blocks.

    Parameters
    ----------
    views : dict of str to views, or views for all blocks
        A dict by block; those that it does not name, and those of a kind that one view for all
        does not read, take :data:`AUTO`.

    rows : BlockRows

    build : callable
        ``build(views, rows)`` of the rows of one block.
    """
    if isinstance(views, dict):
        for name in views:
            check_name(name, rows.blocks, "views=")
    made = {}
    for name, part in rows.blocks.items():
        own = views.get(name, "auto") if isinstance(views, dict) else views
        if not isinstance(views, dict) and not _reads(own, part.kind):
            own = "auto"
        is_auto = isinstance(own, str) and own == "auto"
        made[name] = build(AUTO[part.kind] if is_auto else own, part)

    def view(x, index):
        changed = {name: made[name](batch, index) for name, batch in x.batches.items()}
        return BlockBatch(changed, x.present)

    return view


def _reads(view, kind):
    """Whether a view, or each of several, is one of rows of a kind."""
    if isinstance(view, (list, tuple)):
        return all(_reads(part, kind) for part in view)
    if isinstance(view, str):
        return view in import_module("skcontrast.views").VIEWS_OF[kind]
    return not hasattr(view, "reads") or bool({kind, "any"} & set(view.reads))
