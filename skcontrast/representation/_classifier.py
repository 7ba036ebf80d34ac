"""SupervisedContrastiveClassifier: a representation and classes from few labels."""

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from skcontrast._component import HasMethods, StrOptions, check_parameters
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.table import check_rows
from skcontrast._inputs.target import classes_of
from skcontrast._training.callbacks import with_callbacks
from skcontrast.objectives import CrossEntropy
from skcontrast.representation._adjusted import WeightedProbabilities
from skcontrast.representation._fit import kept_on_error
from skcontrast.representation._heads import (
    check_head,
    check_passthrough,
    default_classifier,
    row_weights,
    weighted_head,
)
from skcontrast.representation._supervised import BaseSupervised


def _head_has(name):
    """Whether the head, fitted or not, has a method."""

    def check(estimator):
        head = getattr(estimator, "classifier_", estimator.classifier)
        return head is None or hasattr(head, name)

    return check


class SupervisedContrastiveClassifier(ClassifierMixin, BaseSupervised):
    """Learn a representation in which rows of a class are near, and predict from it.

    An encoder is trained by an objective that reads the classes: rows of a class attract
    each other, and rows of different classes repel. A classifier is then fitted on the
    embedding of the labelled rows, with their standardised columns beside it. Rows whose
    label is -1 shape the representation alone.

    Parameters
    ----------
    n_components : int, default=None
        Width of the embedding. None is 256, or the width of ``network`` when that is a
        torch module.

    objective : str or component, default="supcon"
        What the encoder is trained for: a name in
        :data:`skcontrast.objectives.OBJECTIVES` or an object, such as
        ``LogitAdjusted()``, ``SubclassBalanced()`` or a sum. One without a target, such
        as "info_nce", learns the representation from the rows alone.

    classifier : classifier or None, default=None
        The head. A copy is fitted on the columns and the embedding. None was chosen by
        measurement: :class:`skcontrast.ProKeRClassifier`.

    passthrough : bool or "auto", default="auto"
        Whether the head reads the standardised columns beside the embedding; "auto" does
        but for sparse rows.

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

    views : str, component, callable, list or None, default=("neighbors", "corruption")
        How a view of a row is made: a name in :data:`skcontrast.views.VIEWS`, an object
        from :mod:`skcontrast.views`, a callable on a batch tensor, or a list of these,
        applied in order. None takes the rows as they are, for a network with dropout.

    n_views : int, default=2
        Number of views of each row.

    clean_anchor : bool, default=True
        Whether the first view is the row itself; the only one, with ``n_views=1``.

    network : str, component or torch.nn.Module, default="mlp"
        The encoder: "linear", "mlp", an object from :mod:`skcontrast.networks`, or a
        torch module, which is copied.

    projector : str, component, torch.nn.Module or None, default=None
        Network between the embedding and the objective, thrown away after training.

    sampler : str or component, default="uniform"
        How batches are put together: "uniform" or "class_balanced".

    standardize : bool, default=True
        Whether columns are centred and scaled to unit variance first, columns of two
        values to a range of one. Sparse rows are not centred, and share one scale.

    optimizer : str or component, default="adamw"
        "adamw", "sgd" or an object from :mod:`skcontrast.optimizers`, which holds the
        weight decay, the learning-rate schedule with its warm-up, and gradient clipping.

    learning_rate : float, default=1e-3
        Highest learning rate.

    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" is ``min(256, n_samples)``. The other rows of the batch
        are an anchor's negatives.

    max_iter : int, default=100
        Number of epochs.

    early_stopping : bool, default=False
        Whether to hold out rows, stop once their loss does not fall any more, and
        restore the best weights.

    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping.

    n_iter_no_change : int, default=10
        Epochs without a better validation loss before stopping.

    tol : float, default=1e-4
        A validation loss is better when it is lower by more than this.

    warm_start : bool, default=False
        Whether another ``fit`` goes on from the fitted weights; its schedule and its
        ``loss_curve_`` start anew.

    callbacks : list of skorch callbacks, default=None
        scikit-learn's own callbacks are set by ``set_callbacks``.

    checkpoint : str, path-like or Checkpoint, default=None
        Folder for checkpoints; a ``fit`` that was killed goes on from there. See
        :class:`skcontrast.checkpoint.Checkpoint`.

    device : str or torch.device, default="auto"
        "auto" takes CUDA, else MPS, else the CPU.

    precision : {"float32", "bfloat16", "float64"}, default="float32"
        "bfloat16" runs the network under autocast; the loss is always at least float32.

    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the batches and the views. An int makes two fits on one
        CPU equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch.

    Attributes
    ----------
    n_components_ : int
        Width of the embedding.

    weights_ : dict of str to ndarray
        Weights of encoder and projector.

    objective_ : component
        The objective that was trained.

    objective_weights_ : dict of str to ndarray
        What the objective learned, such as temperatures.

    network_, projector_ : component or torch.nn.Module
        The networks, as descriptions without weights.

    mean_, scale_ : ndarray of shape (n_columns,) or None
        Standardisation of the columns.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_curve_ : list of float or None
        Loss on the rows held out, with ``early_stopping=True``.

    n_iter_ : int
        Number of epochs run.

    classifier_ : classifier
        The fitted head.

    classes_ : ndarray of shape (n_classes,)
        Classes, without -1.

    finetune_curve_ : list of float
        Mean loss of each epoch of the fine-tuning, with ``finetune=True``.

    expansion_ : object
        How a DataFrame becomes the columns that the network reads, where X was one.

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
    >>> model = SupervisedContrastiveClassifier(max_iter=5, random_state=0).fit(X, few)
    >>> bool(model.score(X[100:], y[100:]) > 0.8)
    True
    """

    _parameter_constraints = {
        **BaseSupervised._parameter_constraints,
        "classifier": [HasMethods(["fit", "predict"]), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "weight_objective": ["boolean"],
    }
    _target_type = "class"
    _advice = {
        "objective": "objective='supcon', 'logit_adjusted' or 'subclass_balanced', or one without "
        "a target",
        "sampler": "sampler='uniform' or 'class_balanced'",
    }

    def __init__(
        self,
        n_components=None,
        *,
        objective="supcon",
        classifier=None,
        passthrough="auto",
        finetune=False,
        finetune_iter=50,
        class_weight=None,
        weight_objective=False,
        views=("neighbors", "corruption"),
        n_views=2,
        clean_anchor=True,
        network="mlp",
        projector=None,
        sampler="uniform",
        standardize=True,
        optimizer="adamw",
        learning_rate=1e-3,
        batch_size="auto",
        max_iter=100,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        device="auto",
        precision="float32",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.objective = objective
        self.classifier = classifier
        self.passthrough = passthrough
        self.finetune = finetune
        self.finetune_iter = finetune_iter
        self.class_weight = class_weight
        self.weight_objective = weight_objective
        self.views = views
        self.n_views = n_views
        self.clean_anchor = clean_anchor
        self.network = network
        self.projector = projector
        self.sampler = sampler
        self.standardize = standardize
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X, y):
        """Train the encoder and fit the head.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels; -1 marks rows without one, unless y holds just -1 and one other
            number, as in {-1, 1}: these are two classes then.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        check_head(self.classifier, "classifier", self)
        fresh = not (self.warm_start and hasattr(self, "weights_"))
        with kept_on_error(self):
            X = check_rows(self, X, reset=fresh, n_least=2)
            check_one_each(y, X.shape[0], type(self).__name__)
            codes, classes = classes_of(y, type(self).__name__)
            labelled = np.flatnonzero(codes >= 0)
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            check_passthrough(self, "classifier", X)
            head, options, weight = self.classifier, {}, None
            if head is None:
                head = default_classifier(len(labelled), seed)
            if self.class_weight is not None:
                of_labelled = row_weights(self.class_weight, classes[codes[labelled]], classes)
                if self.classifier is None:
                    first = np.unique(codes[labelled], return_index=True)[1]
                    head = WeightedProbabilities(head, of_labelled[first])
                else:
                    head, options = weighted_head(head, self.class_weight, of_labelled)
            if self.class_weight is not None and self.weight_objective:
                # Rows without a label weigh what labelled ones do on average.
                weight = np.ones(len(codes))
                weight[labelled] = of_labelled / of_labelled.max()
                weight[labelled] /= weight[labelled].mean()
            self._fit_encoder(X, codes, labelled, fresh, weight)
            self.classes_ = classes
            target = classes[codes[labelled]]
            features = self._head_input(X[labelled])
            self.classifier_ = clone(head).fit(features, target, **options)
        return self

    def predict(self, X):
        """Predict the class of rows.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.predict(features)

    @available_if(_head_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probability of each class.

        Available where the head has it.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.predict_proba(features)

    @available_if(_head_has("decision_function"))
    def decision_function(self, X):
        """Score each class.

        Available where the head has it.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        features = self._head_features(X, "classifier_")
        return self.classifier_.decision_function(features)

    def _head_objective(self):
        return CrossEntropy()
