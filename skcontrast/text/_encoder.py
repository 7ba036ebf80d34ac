"""ContrastiveTextEncoder: vectors of sentences, learned from raw texts alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from skcontrast._component import Component, HasMethods, Shorthand, StrOptions
from skcontrast._inputs.blocks import Blocks
from skcontrast._inputs.documents import typed, warn_unused
from skcontrast._inputs.stacked import Stacked, stack_texts
from skcontrast._inputs.text import BackboneInput, TextInput
from skcontrast._training.checkpoint import Checkpoint
from skcontrast._training.frozen import TRAINABLE
from skcontrast._training.spans import EmbedsSpans
from skcontrast._typing import FilePath, RandomState, Words
from skcontrast.base import BaseContrastive
from skcontrast.networks import NETWORK_CONSTRAINTS
from skcontrast.objectives import Objective
from skcontrast.views import TEXT_VIEW_CONSTRAINTS, Views


class ContrastiveTextEncoder(EmbedsSpans, BaseContrastive):
    r"""Learn vectors of texts from these texts alone, with nothing to download.

    Documents are split into words, every word becomes hashed features (itself, its ends,
    its shape, its character n-grams), and a document is a weighted mean of word vectors
    that are looked up by these hashes: there is no vocabulary, and words that were never
    seen share what is known of words like them. Two random views of each document (halves of its
    words) are pulled together and the documents of a batch apart, so words that occur in
    one context come near each other. Three quarters of the columns are not trained but say
    which words are there: a third of these by the singular vectors of the documents (latent
    semantic analysis), the others by a random projection of what these leave.

    Parameters
    ----------
    n_components : int, default=None
        Width of the embedding. None is 1024, and with a ``backbone`` 256 or the width of
        ``network`` when that is a torch module.

    objective : str or component, default="info_nce"
        What is trained for: a name in :data:`skcontrast.objectives.OBJECTIVES` or an
        object from :mod:`skcontrast.objectives`, such as ``InfoNCE(temperature=0.1)``
        or a sum of objectives.

    views : str, component, callable, list or None, default="auto"
        How a view of a document is made: a name in
        :data:`skcontrast.views.TEXT_VIEWS`, an object from :mod:`skcontrast.views`, a
        callable on a TokenBatch, or a list of these, applied in order. None takes the
        documents as they are, for a network with dropout (SimCSE) or for ``groups``.
        "auto" is "word_deletion"; with a ``backbone`` views are those of rows of numbers,
        and "auto" is ``("neighbors", "corruption")``.

    n_views : int, default=2
        Number of views of each document; of Blocks, there is one of each.

    clean_anchor : bool or "auto", default="auto"
        Whether the first view is the document itself. "auto" is True with a ``backbone``
        only.

    network : str, component or torch.nn.Module, default="auto"
        The encoder. "auto" is "hashed", an object
        :class:`skcontrast.networks.HashedEmbeddingBag`; with a ``backbone`` it is "mlp",
        and what :class:`skcontrast.ContrastiveEncoder` takes is taken.

    projector, momentum, sampler, replay : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    backbone : callable, object with a method ``encode``, or None, default=None
        Makes rows of numbers of texts: a function of a list of str, or a model of
        sentence-transformers. A small network is then trained on these numbers, as in
        :class:`skcontrast.ContrastiveEncoder`; the backbone itself is not changed. Lists
        of tokens are joined by spaces for it.

    standardize : bool, default=True
        Whether the columns of the backbone's numbers are centred and scaled to unit
        variance first.

    tokenizer : callable, default=None
        Splits a str into words. This and the next four parameters are those of
        scikit-learn's CountVectorizer; documents that are lists of words are taken as they
        are.

    token_pattern : str, default="auto"
        Regular expression of a word. "auto" takes words of one letter too, with their marks,
        in any script, and no punctuation. Where no spaces stand between words, as in Chinese,
        Japanese or Thai, it takes overlapping pieces of two or three letters.

    lowercase : bool, default=True
        Whether to turn letters into lower case.

    stop_words : {"english"} or collection of str, default=None
        Words to leave out.

    strip_accents : {"ascii", "unicode"} or callable, default=None
        Whether to take off accents. Others are joined with their letters, so that a word has
        one form however its accents were typed.

    learning_rate : float, default=3e-3
        Highest learning rate.

    max_iter : int or "auto", default=20
        Number of epochs.

    optimizer, batch_size, chunk_size, early_stopping : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    validation_fraction, n_iter_no_change, tol, warm_start : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    trainable : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    callbacks, checkpoint, device, precision, random_state : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    verbose : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    Attributes
    ----------
    n_components_ : int
        Width of the embedding.

    input_ : object
        What reads documents: with ``word_counts_``, counts of hashed words, by which words are
        weighed, or with ``mean_`` and ``scale_`` of the backbone's columns.

    weights_, network_, projector_, objective_, loss_curve_, n_iter_, classes_
        See :class:`skcontrast.ContrastiveEncoder`, as for its other attributes.

    See Also
    --------
    skcontrast.Word2VecVectorizer : Vectors of words, from their neighbours in the text.

    Notes
    -----
    Output is float32, and meant to be compared by the cosine. ``lexical_weight`` and
    ``lexical`` of :class:`skcontrast.networks.HashedEmbeddingBag` say how much the very words
    count beside what they were found to have in common. The singular vectors are those of
    the documents of the first fit, of at most 16,384 drawn of them. Training on 50,000 short
    texts takes minutes on two cores.

    ``fit(X, groups=g)`` takes documents of one group for views of each other: pairs of equal
    meaning, given by number. ``fit(Blocks(query=q, answer=a))`` takes the texts of a row for views
    of each other (:class:`skcontrast.multiview.Blocks`), and with
    ``objective=InfoNCE(form="one_way", hard_negatives=True)`` a third block for hard negatives.

    References
    ----------
    Gao et al., "SimCSE: simple contrastive learning of sentence embeddings", EMNLP 2021.
    Giorgi et al., "DeCLUTR: deep contrastive learning for unsupervised textual
    representations", ACL 2021. Arora et al., "A simple but tough-to-beat baseline for
    sentence embeddings", ICLR 2017. Svenstrup et al., "Hash embeddings for efficient word
    representations", NeurIPS 2017. Deerwester et al., "Indexing by latent semantic analysis",
    JASIS 41, 1990.

    Examples
    --------
    >>> from skcontrast import ContrastiveTextEncoder
    >>> texts = ["the cat sat", "a cat sits", "stocks fell", "shares fell again"]
    >>> encoder = ContrastiveTextEncoder(n_components=16, max_iter=5, random_state=0)
    >>> encoder.fit_transform(texts).shape
    (4, 16)
    >>> encoder.transform(["words never seen before"]).dtype
    dtype('float32')
    """

    # Of texts before those of numbers, which a backbone makes of them.
    _shorthand = {**BaseContrastive._shorthand, "views": "skcontrast.views:VIEWS_OF.numbers.tokens"}

    _parameter_constraints = {
        **BaseContrastive._parameter_constraints,
        "views": [*TEXT_VIEW_CONSTRAINTS, StrOptions({"auto"})],
        "clean_anchor": ["boolean", StrOptions({"auto"})],
        "network": [
            Shorthand(BaseContrastive._shorthand["network"], "network"),
            NETWORK_CONSTRAINTS[1],
            StrOptions({"auto"}),
        ],
        "trainable": TRAINABLE,
        "backbone": [callable, HasMethods(["encode"]), None],
        "tokenizer": [callable, None],
        "token_pattern": [str, None],
        "lowercase": ["boolean"],
        "stop_words": [StrOptions({"english"}), list, tuple, set, frozenset, None],
        "strip_accents": [StrOptions({"ascii", "unicode"}), callable, None],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        objective: str | Objective = "info_nce",
        views: Views | Literal["auto"] = "auto",
        n_views: int = 2,
        clean_anchor: bool | Literal["auto"] = "auto",
        network: str | Component | nn.Module | Literal["auto"] = "auto",
        projector: str | Component | nn.Module | None = None,
        momentum: float | None = None,
        sampler: str | Component = "uniform",
        replay: str | Component | None = None,
        backbone: Any | None = None,
        standardize: bool = True,
        tokenizer: Callable | None = None,
        token_pattern: str | None = "auto",
        lowercase: bool = True,
        stop_words: Literal["english"] | Words | None = None,
        strip_accents: Literal["ascii", "unicode"] | Callable | None = None,
        optimizer: str | Component = "adamw",
        learning_rate: float = 3e-3,
        batch_size: int | Literal["auto"] = "auto",
        chunk_size: int | None = None,
        max_iter: int | Literal["auto"] = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        trainable: Literal["all", "last"] | list | tuple = "all",
        callbacks: list | tuple | None = None,
        checkpoint: FilePath | Checkpoint | None = None,
        device: str | torch.device = "auto",
        precision: Literal["float32", "bfloat16", "float64"] = "float32",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.objective = objective
        self.views = views
        self.n_views = n_views
        self.clean_anchor = clean_anchor
        self.network = network
        self.projector = projector
        self.momentum = momentum
        self.sampler = sampler
        self.replay = replay
        self.backbone = backbone
        self.standardize = standardize
        self.tokenizer = tokenizer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.strip_accents = strip_accents
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.chunk_size = chunk_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.trainable = trainable
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @property
    def word_counts_(self) -> np.ndarray:
        """Counts of hashed words, by which words are weighted; without a backbone."""
        return self.input_.word_counts_

    def _read(self, X, call):
        if not isinstance(X, Blocks):
            return super()._read(X, call)
        texts, n_given = stack_texts(X)
        if self.n_views != n_given:
            warn_unused(typed(self, ["n_views"]), f"X has {n_given} blocks, which are the views")
        source, checked = super()._read(texts, call)
        return source, Stacked(checked, n_given)

    def _new_input(self):
        owner = type(self).__name__
        if self.backbone is not None:
            words = ["tokenizer", "token_pattern", "lowercase", "stop_words", "strip_accents"]
            warn_unused(typed(self, words), "backbone= is given the texts as they are")
            return BackboneInput(owner, self.standardize, self.precision, self.backbone)
        warn_unused(typed(self, ["standardize"]), "words are hashed, where backbone= is None")
        return TextInput(
            owner,
            self.tokenizer,
            self.token_pattern,
            self.lowercase,
            self.stop_words,
            self.strip_accents,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        tags.transformer_tags.preserves_dtype = []
        return tags
