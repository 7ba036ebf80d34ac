"""From raw texts to training: what ``ContrastiveTextEncoder`` does in its own way."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import check_parameters, resolve
from skcontrast._inputs.documents import check_documents, token_lists
from skcontrast._inputs.side import check_side, needs
from skcontrast._inputs.tokens import TokenRows, number_words
from skcontrast._training.callbacks import with_callbacks
from skcontrast._training.devices import DTYPES
from skcontrast.base import BaseContrastive
from skcontrast.networks import MLP, TEXT_NETWORKS, Linear
from skcontrast.samplers import Uniform
from skcontrast.text._given_pairs import OnePerGroup, partners
from skcontrast.views import build_views

# What "auto" and None stand for: of words, and of the numbers of a backbone.
_CHOSEN = {
    "network": ("hashed", "mlp"),
    "views": ("word_deletion", ("neighbors", "corruption")),
    "n_components": (1024, None),
    "clean_anchor": (False, True),
}


class TextFitMixin(BaseContrastive):
    """``fit``, ``partial_fit`` and ``transform`` of texts."""

    _shorthand = {
        **BaseContrastive._shorthand,
        "network": "skcontrast.networks:TEXT_NETWORKS",
        "views": "skcontrast.views:ALL_VIEWS",
    }
    _example_view, _example_network = "word_deletion", "HashedEmbeddingBag"

    @with_callbacks
    def fit(self, X, y=None, *, condition=None, prior=None, groups=None):
        """Train the encoder.

        Parameters
        ----------
        X : iterable of str or of lists of str
            Documents; a generator is read once.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for objectives and samplers that require it: classes, numbers, or
            columns of labels. -1 marks documents without a label, and NaN where the target
            is numbers.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable of each document, for objectives that require ``"condition"``.

        prior : array-like of shape (n_samples, q), default=None
            Features of each document from elsewhere, for objectives that require
            ``"prior"``.

        groups : array-like of shape (n_samples,), default=None
            Group of each document. Documents of one group are views of each other, as the
            two sentences of a pair of equal meaning; with an objective that requires
            ``"groups"`` they are what it says.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        fresh = not (self.warm_start and hasattr(self, "weights_"))
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        X = self._check(X, reset=fresh, n_least=2)
        return self._run(X, given, fresh, self.max_iter)

    @with_callbacks
    def partial_fit(self, X, y=None, *, condition=None, prior=None, groups=None):
        """Train for one more pass over the documents given, at the full learning rate.

        The first call counts the words, which weigh them from then on; words that come
        later are hashed like all others.

        Parameters
        ----------
        X : iterable of str or of lists of str
            Documents.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, as in :meth:`fit`.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable, as in :meth:`fit`.

        prior : array-like of shape (n_samples, q), default=None
            Features from elsewhere, as in :meth:`fit`.

        groups : array-like of shape (n_samples,), default=None
            Group of each document, as in :meth:`fit`.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        fresh = not hasattr(self, "weights_")
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        X = self._check(X, reset=fresh, n_least=2)
        return self._run(X, given, fresh, 1, partial=True)

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, and embed the same documents.

        Parameters
        ----------
        X : iterable of str or of lists of str
            Documents; a generator is read once.

        y : array-like, default=None
            Target, as in :meth:`fit`.

        **fit_params : dict
            Arguments of :meth:`fit`.

        Returns
        -------
        X_embedded : float32 ndarray of shape (n_samples, n_components_)
        """
        X = list(X) if isinstance(X, Iterator) else X
        return super().fit_transform(X, y, **fit_params)

    def transform(self, X):
        """Embed documents with the encoder; views and projector take no part.

        Parameters
        ----------
        X : iterable of str or of lists of str

        Returns
        -------
        X_embedded : float32 ndarray of shape (n_samples, n_components_)
            Of a document without words, what the network makes of nothing.
        """
        check_is_fitted(self, "weights_")
        X = self._check(X, reset=False)
        n_empty = 0 if self.backbone is not None else int((np.diff(X.offsets) == 0).sum())
        if n_empty:
            warnings.warn(
                f"{n_empty} of {len(X)} documents of X hold no words: their embedding is what the "
                "network makes of nothing.",
                UserWarning,
                stacklevel=3,
            )
        return self._embed(X)

    def set_params(self, **params):
        """Set the parameters of this estimator and of the components it holds.

        Parameters
        ----------
        **params : dict
            ``name=value`` or ``name__subname=value``; "auto" is turned into what it stands
            for before ``subname`` is set.

        Returns
        -------
        self : object
        """
        for name in ("network", "views"):
            value = params.get(name, getattr(self, name))
            inner = any(key.startswith(f"{name}__") for key in params)
            if inner and isinstance(value, str) and value == "auto":
                params[name] = self._setting(name)
        return super().set_params(**params)

    # ---------------------------------------------------------------- input

    def _check(self, X, *, reset, n_least=1):
        if not reset and (self.word_counts_ is None) == (self.backbone is None):
            raise ValueError(
                f"backbone={self.backbone!r} is not what the encoder was fitted with: fit it again."
            )
        X = self._words(X, reset) if self.backbone is None else self._numbers(X, reset)
        if X.shape[0] < n_least:
            raise ValueError(
                f"X holds n_samples={X.shape[0]} document, but at least {n_least} are needed: one "
                "alone has nothing to be contrasted with."
            )
        return X

    def _words(self, X, reset):
        """Documents as numbered words, with the counts of the training corpus."""
        X = number_words(token_lists(X, self), None if reset else self.word_counts_)
        if reset and not len(X.ids):
            raise ValueError(
                "X holds no words: pass other documents, fewer stop_words or another token_pattern."
            )
        return X

    def _numbers(self, X, reset):
        """What the backbone makes of documents: float32 (n_samples, width)."""
        if isinstance(self.backbone, str):  # which has a method "encode" too
            raise TypeError(
                f"backbone={self.backbone!r} is a name: pass the model itself, such as "
                f"sentence_transformers.SentenceTransformer({self.backbone!r})."
            )
        texts = [d if isinstance(d, str) else " ".join(d) for d in check_documents(X)]
        out = getattr(self.backbone, "encode", self.backbone)(texts)
        out = out.detach().float().cpu().numpy() if torch.is_tensor(out) else out
        try:
            numbers = check_array(out, dtype=np.float32, input_name="the output of backbone")
        except (TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise ValueError(f"backbone must give one row of numbers a text: {why}") from None
        if len(numbers) != len(texts):
            raise ValueError(f"backbone gave {len(numbers)} rows for {len(texts)} texts.")
        if not reset and numbers.shape[1] != self._n_inputs():
            raise ValueError(
                f"backbone gave {numbers.shape[1]} columns, and {self._n_inputs()} in fit: pass "
                "the same backbone, or fit again."
            )
        return numbers

    # ------------------------------------------------------------- training

    def _setting(self, name):
        value = getattr(self, name)
        # Of "views", None means no views.
        auto = "auto" if name != "n_components" else None
        if type(value) is type(auto) and value == auto:
            return _CHOSEN[name][self.backbone is not None]
        if name == "network":
            self._check_network(value)
        return value

    def _check_network(self, network):
        kind = resolve(network, TEXT_NETWORKS) if isinstance(network, str) else network
        reads_numbers = isinstance(kind, (Linear, MLP, torch.nn.Module))
        if self.backbone is None and reads_numbers:
            raise ValueError(
                f"network={network!r} reads numbers, and without a backbone documents are words: "
                "type network='hashed', or pass a backbone."
            )
        if self.backbone is not None and getattr(kind, "reads", None) == "tokens":
            raise ValueError(
                f"network={network!r} reads words, and the backbone makes numbers of them: type "
                "network='mlp', or backbone=None."
            )

    def _scales(self, X, fresh):
        return (None, None) if self.backbone is None else super()._scales(X, fresh)

    def _make_rows(self, X, side, mean, scale, device, train_index):
        if self.backbone is not None:
            return super()._make_rows(X, side, mean, scale, device, train_index)
        return TokenRows(X, side, DTYPES[self.precision], device, train_index)

    def _modules(self, fitted, rows, objective, given, fresh):
        fitted["word_counts_"] = getattr(rows, "counts", None)
        fitted["_width_in"] = rows.n_features
        module, criterion = super()._modules(fitted, rows, objective, given, fresh)
        if fresh and hasattr(module.encoder, "prepare"):
            module.encoder.prepare(rows)
        return module, criterion

    def _n_inputs(self):
        return self._width_in

    def _side(self, objective, sampler, given, n_samples, fresh, partial):
        groups = given["groups"]
        pairs = groups is not None and "groups" not in needs(sampler, objective)
        beside = {**given, "groups": None} if pairs else given
        side, learned_of_y = super()._side(objective, sampler, beside, n_samples, fresh, partial)
        if pairs:
            wanted = {"groups": type(self).__name__}
            side["pairs"] = check_side(wanted, {"groups": groups}, n_samples)[0]["groups"]
        return side, learned_of_y

    def _views(self, rows, network, objective):
        if "pairs" not in rows.side or self.n_views < 2 or objective.hard_negatives:
            return super()._views(rows, network, objective)
        view = build_views(self._setting("views"), rows)
        first = None if self._setting("clean_anchor") else view
        return [first, *[partners(rows, view)] * (self.n_views - 1)]

    def _batches(self, sampler, rows, batch_size, min_rows):
        if "pairs" in rows.side and isinstance(sampler, Uniform):
            return OnePerGroup(rows, batch_size, min_rows)
        return super()._batches(sampler, rows, batch_size, min_rows)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        tags.transformer_tags.preserves_dtype = []
        return tags
