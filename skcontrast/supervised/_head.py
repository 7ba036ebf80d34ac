"""What the estimators with a head share: any encoder, trained with a target, and what it gives."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    ShorthandMixin,
    StrOptions,
    resolve,
)
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import reads_y
from skcontrast._inputs.target import target_type
from skcontrast._progress import say
from skcontrast._training.callbacks import CallbackSupportMixin, as_task, with_callbacks
from skcontrast._training.fitted import ReadsOnce, embed
from skcontrast._training.run import Call
from skcontrast._typing import ArrayLike, RowsLike
from skcontrast.base import BaseContrastive
from skcontrast.objectives import OBJECTIVES
from skcontrast.representation import ContrastiveEncoder
from skcontrast.samplers import SAMPLERS


class BaseHead(ColumnsOfInput, ShorthandMixin, ReadsOnce, CallbackSupportMixin, BaseEstimator):
    """An encoder and a head: the encoder learns from all rows, the head from labelled ones."""

    _parameter_constraints = {
        "encoder": [HasMethods(["fit", "transform"]), None],
        "passthrough": ["boolean", StrOptions({"auto"})],
        "finetune": ["boolean"],
        "finetune_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _shorthand = {"encoder": {}}
    _input_name = "encoder_"

    # What a target of this estimator holds, the objective of the default encoder, the one of
    # the fine-tuning, and what a message advises for a parameter of the encoder.
    _target_type: str
    _objective: str
    _head_objective: str
    _advice: dict[str, str]

    def _settled(self, name, value):
        """The default encoder where None stands for it."""
        if name != "encoder" or value is not None:
            return value
        return ContrastiveEncoder(objective=self._objective, verbose=self.verbose)

    # --------------------------------------------------------------- fitting

    def _copied_encoder(self):
        """The encoder to fit, and whether it is fitted and stays so, or goes on."""
        encoder = self._settled("encoder", self.encoder)
        frozen = isinstance(encoder, FrozenEstimator)
        model = encoder.estimator if frozen else encoder
        if isinstance(model, type) or not isinstance(model, BaseContrastive):
            raise TypeError(
                f"encoder={encoder!r} is no encoder of skcontrast: type one such as "
                f"ContrastiveEncoder(objective={one_line(self._objective)}), and put other "
                "steps before it in a Pipeline."
            )
        if frozen:
            check_is_fitted(model, "weights_")
            if self.finetune:
                raise ValueError(
                    "finetune=True changes the encoder, which is frozen: type finetune=False, or "
                    "encoder= without FrozenEstimator."
                )
            return model, True, True
        self._check_reads(model, "objective", OBJECTIVES)
        self._check_reads(model, "sampler", SAMPLERS)
        further = self._goes_on()
        bare = copy.copy(model)
        bare.callbacks = None  # not copied: who gave them wants to know what they were told
        fitted = clone(bare)
        fitted.callbacks = model.callbacks
        if further:
            fitted = copy.deepcopy(self.encoder_).set_params(**fitted.get_params(deep=False))
        if fitted.random_state is None:
            fitted.set_params(random_state=self.random_state)
        if self.verbose and not fitted.verbose:
            fitted.set_params(verbose=self.verbose)
        return fitted, False, further

    def _goes_on(self):
        """Whether a fit goes on from the encoder of the one before."""
        same = type(getattr(self, "encoder_", None)) is type(self.encoder)
        return same and getattr(self.encoder, "warm_start", False)

    def _check_reads(self, encoder, name, registry):
        """Raise where a component of the encoder reads a target of another kind."""
        value = encoder._settled(name, getattr(encoder, name))
        component = resolve(value, registry)
        if reads_y(component) and target_type(component) != self._target_type:
            raise ValueError(
                f"encoder={type(encoder).__name__}({name}={value!r}) does not read the target of "
                f"a {type(self).__name__}: type {self._advice[name]}."
            )

    def _fit_encoder(self, encoder, source, X, given, labelled, frozen, further):
        """Train the encoder on all rows, and where asked, with a linear head on labelled ones."""
        if self.finetune and len(labelled) < 2:
            raise ValueError(
                f"finetune=True needs at least 2 labelled rows, and y has {len(labelled)}: type "
                "finetune=False, or give more rows a label."
            )
        if frozen:
            return
        rows = f"{X.shape[0]} rows, {len(labelled)} with a label"
        say(self.verbose, f"Training {type(encoder).__name__} on {rows}")
        with as_task(self, encoder, X, given["target"]):
            call = Call(None, encoder.max_iter, further, source=source)
            with_callbacks(type(encoder)._fit)(encoder, X, given, call)
        if self.finetune:
            say(self.verbose, f"Fine-tuning it on the {len(labelled)} labelled rows")
            weight = given.get("weight")
            weight = weight if weight is None else weight[labelled]
            of_labelled = {"target": given["target"][labelled], "weight": weight}
            call = Call(self._head_objective, self.finetune_iter, True, second=True, source=source)
            encoder._fit(X[labelled], of_labelled, call)

    def _read(self, X, params):
        """The encoder to fit, X as its input reads it, and what stands beside X."""
        X = list(X) if isinstance(X, Iterator) else X
        routed = params and get_config()["enable_metadata_routing"]
        beside = process_routing(self, "fit", **params).encoder.fit if routed else params
        allowed = ("condition", "prior", "groups")
        unknown = [name for name in beside if name not in allowed]
        if unknown:
            raise TypeError(
                f"fit got {unknown[0]!r}: beside X and y it takes {', '.join(allowed)}, which the "
                "objective of the encoder may read."
            )
        encoder, frozen, further = self._copied_encoder()
        if frozen and beside:
            raise ValueError(
                f"{next(iter(beside))}= was given, but the encoder is frozen: leave it out, or "
                "type encoder= without FrozenEstimator."
            )
        if frozen or further:
            source, X = encoder.input_, encoder.input_.read(X, n_least=2)
        else:
            source = encoder._new_input()
            X = source.fit(X, n_least=2)
        return encoder, source, X, beside, (frozen, further)

    # ------------------------------------------------------------ prediction

    def _head_input(self, encoder, source, X):
        """Features of the labelled rows, which fix the scale of the learned columns."""
        Z = embed(encoder, X)
        # New rows may be dense where these are sparse, or the other way round.
        self._sparse_columns = sp.issparse(X) or getattr(X, "is_sparse", False)
        reads = not self._sparse_columns if self.passthrough == "auto" else self.passthrough
        self._n_raw = X.shape[1] if reads and source.parts else 0
        # One scale for all columns: their distances and their relative sizes were learned.
        spread = float(np.sqrt(np.mean(np.var(Z, axis=0, dtype=np.float64))))
        self._embedding_scale = spread if spread > 0 else 1.0
        return self._features(X, Z)

    def _features(self, X, Z=None):
        """What the head reads of checked rows: the columns where asked, and what was learned."""
        Z = embed(self.encoder_, X) if Z is None else Z
        Z = np.asarray(Z, dtype=np.float64) / self._embedding_scale
        if not self._n_raw:
            return Z
        source = self.encoder_.input_
        if self._sparse_columns:
            raw = sp.csr_matrix(source.standardized(sp.csr_matrix(X) if sp.issparse(X) else X))
            return sp.hstack([raw, sp.csr_matrix(Z)]).tocsr()
        return np.hstack([source.standardized(X.toarray() if sp.issparse(X) else X), Z])

    def _head_features(self, X, name):
        """Features of new rows, once the head ``name`` is there."""
        if hasattr(self, "encoder_") and not hasattr(self, name):
            raise NotFittedError(f"{name} is fitted when the training has ended.")
        check_is_fitted(self, name)
        return self._features(self.encoder_.input_.read(X))

    def transform(self, X: RowsLike) -> np.ndarray:
        """What the encoder makes of rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_columns)
            The output of ``encoder_.transform``.
        """
        check_is_fitted(self, "encoder_")
        return self.encoder_.transform(X)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns of :meth:`transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; those of the fit by default.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "encoder_")
        return self.encoder_.get_feature_names_out(input_features)

    def _embed_rows(self, X):
        return self.encoder_._embed_rows(X)

    def _embed_view(self, X, random_state):
        return self.encoder_._embed_view(X, random_state)

    # ----------------------------------------------------- scikit-learn's side

    def get_metadata_routing(self) -> MetadataRouter:
        """What stands beside X and y goes to the fit of the encoder.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        encoder = self._settled("encoder", self.encoder)
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(encoder=encoder, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        encoder = self._settled("encoder", self.encoder)
        if isinstance(encoder, (BaseContrastive, FrozenEstimator)):
            tags.input_tags = get_tags(encoder).input_tags
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = True
        tags.non_deterministic = False
        return tags
