"""SupervisedContrastiveClassifier: a representation and classes from few labels."""

from __future__ import annotations

import copy
from functools import partial
from typing import Literal

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from skcontrast._component import HasMethods, StrOptions, check_parameters
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.target import classes_of
from skcontrast._output import Output
from skcontrast._progress import stage
from skcontrast._training.callbacks import with_callbacks
from skcontrast._training.fitted import embed
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike, Self
from skcontrast.supervised._adjusted import WeightedProbabilities
from skcontrast.supervised._defaults import (
    check_head,
    check_passthrough,
    default_classifier,
    row_weights,
    weighted_head,
)
from skcontrast.supervised._head import BaseHead


def _head_has(name):
    """Whether the head, fitted or not, has a method."""

    def check(estimator):
        head = getattr(estimator, "classifier_", estimator.classifier)
        return head is None or hasattr(head, name)

    return check


class SupervisedContrastiveClassifier(ClassifierMixin, BaseHead):
    """Learn a representation in which rows of a class are near, and predict from it.

    An encoder is trained by an objective that reads the classes: rows of a class attract
    each other, and rows of different classes repel. A classifier is then fitted on the
    embedding of the labelled rows and what is known of rows without training beside it: the
    standardised columns, local patterns and other parts of :class:`ContrastiveEncoder`. Rows
    without a label (None, NaN, pandas.NA or -1) shape the representation and these parts.

    Parameters
    ----------
    encoder : encoder of this package or None, default=None
        What learns the representation: an encoder of tables, texts or any other kind of row,
        with its own parameters; a copy is fitted. None is ``ContrastiveEncoder(
        objective="supcon")``. An encoder whose objective reads no classes learns from the
        rows alone. In a ``sklearn.frozen.FrozenEstimator`` it stays as it is.

    classifier : classifier or None, default=None
        The head. A copy is fitted on the embedding and what stands beside it. None was chosen
        by measurement: :class:`skcontrast.ProKeRClassifier`.

    passthrough : bool or "auto", default="auto"
        What the head reads beside the embedding. "auto" is all parts that
        ``ContrastiveEncoder(passthrough=True)`` has, on their scales, whatever ``encoder``
        itself puts out; texts have none. Labels may say that the columns do better without
        the others, as there. True is the standardised columns alone, sparse ones for a
        classifier that takes them, and False nothing.

    finetune : bool, default=False
        Whether encoder and a linear output are trained together on the labelled rows,
        after the objective and before the head.

    finetune_iter : int, default=50
        Epochs of that.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" is inverse to the number of rows of a class. They
        multiply the probabilities of the default head, and are handed to the fit of another.

    weight_objective : bool, default=False
        Whether the class weights weigh the rows in the objective too.

    random_state : int, RandomState instance or None, default=None
        Seed of the head, and of the encoder where that has none. An int makes two fits on one
        CPU, with as many threads, equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch of the encoder, and what the head is doing.

    Attributes
    ----------
    encoder_ : encoder
        The fitted encoder, with what its class documents.

    classifier_ : classifier
        The fitted head.

    classes_ : ndarray of shape (n_classes,)
        Classes seen.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    ContrastiveEncoder : The representation alone, for a Pipeline.
    sklearn.semi_supervised.LabelSpreading : Labels spread over a graph of the rows.

    References
    ----------
    Khosla et al., "Supervised contrastive learning", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skcontrast import SupervisedContrastiveClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 100, y, -1)  # the others have no label
    >>> model = SupervisedContrastiveClassifier(random_state=0)
    >>> model = model.set_params(encoder__max_iter=5).fit(X, few)
    >>> bool(model.score(X[100:], y[100:]) > 0.8)
    True
    """

    _parameter_constraints = {
        **BaseHead._parameter_constraints,
        "classifier": [HasMethods(["fit", "predict"]), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "weight_objective": ["boolean"],
    }
    _target_type, _objective, _head_objective = "class", "supcon", "cross_entropy"
    _advice = {
        "objective": "objective='supcon', 'logit_adjusted' or 'subclass_balanced', or one without "
        "a target",
        "sampler": "sampler='uniform' or 'class_balanced'",
    }

    def __init__(
        self,
        encoder: Estimator | None = None,
        classifier: Estimator | None = None,
        *,
        passthrough: bool | Literal["auto"] = "auto",
        finetune: bool = False,
        finetune_iter: int = 50,
        class_weight: dict | Literal["balanced"] | None = None,
        weight_objective: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.classifier = classifier
        self.passthrough = passthrough
        self.finetune = finetune
        self.finetune_iter = finetune_iter
        self.class_weight = class_weight
        self.weight_objective = weight_objective
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self: Self, X: RowsLike, y: ArrayLike, **params: ArrayLike) -> Self:
        """Train the encoder and fit the head.

        Parameters
        ----------
        X : rows, of n_samples
            What the encoder reads.

        y : array-like of shape (n_samples,)
            Class labels; None, NaN, pandas.NA or -1 marks rows without one, unless y holds
            just -1 and one other number, as in {-1, 1}: these are two classes then.

        **params : dict
            ``condition``, ``prior`` or ``groups`` for the fit of the encoder.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        check_head(self.classifier, "classifier", self)
        encoder, source, X, beside, how = self._read(X, params)
        check_one_each(y, X.shape[0], type(self).__name__)
        codes, classes = classes_of(y, type(self).__name__)
        labelled = np.flatnonzero(codes >= 0)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        check_passthrough(self, "classifier", X, source)
        head, options, weight = self._weighted_head(codes, classes, labelled, seed)
        given = {**beside, "target": codes, "weight": weight}
        self._fit_encoder(encoder, source, X, given, labelled, *how)
        if hasattr(encoder, "classes_") and not how[0]:
            encoder.classes_ = classes  # it was given their codes
        fitted = copy.copy(self)  # an error in the head leaves an earlier fit whole
        fitted.encoder_, fitted.classes_ = encoder, classes
        features = fitted._head_input(encoder, source, X, labelled, codes)
        with stage(self.verbose, f"Fitting {type(head).__name__} to {len(labelled)} rows"):
            fitted.classifier_ = clone(head).fit(features, classes[codes[labelled]], **options)
        vars(self).update(vars(fitted))
        return self

    def _head_input(self, encoder, source, X, labelled, codes):
        """Features of the labelled rows, and what makes those of new ones."""
        own, parts, self._output = encoder.output_, tuple(source.parts), None
        if self.passthrough != "auto" or not parts:
            return super()._head_input(encoder, source, X[labelled])
        if tuple(own.parts) != parts or own.n_components is not None:
            own = Output(parts).fit(source, X, partial(embed, encoder), codes)
        self._output, self._n_raw = own, 0
        return self._features(X[labelled])

    def _features(self, X, Z=None):
        # Folders of earlier versions hold none.
        if vars(self).get("_output") is None:
            return super()._features(X, Z)
        Z = np.asarray(embed(self.encoder_, X), dtype=np.float64)
        return self._output.transform(self.encoder_.input_, X, Z)

    def _weighted_head(self, codes, classes, labelled, seed):
        """The head, options of its fit, and the weight of each row in the objective."""
        head, options, weight = self.classifier, {}, None
        if head is None:
            head = default_classifier(len(labelled), seed)
        if self.class_weight is None:
            return head, options, weight
        of_labelled = row_weights(self.class_weight, classes[codes[labelled]], classes)
        if self.classifier is None:
            first = np.unique(codes[labelled], return_index=True)[1]
            head = WeightedProbabilities(head, of_labelled[first])
        else:
            head, options = weighted_head(head, self.class_weight, of_labelled)
        if self.weight_objective:
            # Rows without a label weigh what labelled ones do on average.
            weight = np.ones(len(codes))
            weight[labelled] = of_labelled / of_labelled.max()
            weight[labelled] /= weight[labelled].mean()
        return head, options, weight

    def predict(self, X: RowsLike) -> np.ndarray:
        """Predict the class of rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.predict(features)

    @available_if(_head_has("predict_proba"))
    def predict_proba(self, X: RowsLike) -> np.ndarray:
        """Predict the probability of each class.

        Available where the head has it.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.predict_proba(features)

    @available_if(_head_has("decision_function"))
    def decision_function(self, X: RowsLike) -> np.ndarray:
        """Score each class.

        Available where the head has it.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.decision_function(features)
