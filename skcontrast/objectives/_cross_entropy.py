"""CrossEntropy: a linear classification of the embedding."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast._typing import ArrayLike
from skcontrast.functional import mean_over, normalize
from skcontrast.objectives._base import Objective, Temperature, anchor_index
from skcontrast.objectives._likeness import check_classes, check_shape, row_table
from skcontrast.objectives._prediction import BuiltPrediction, predictions, zero_head
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS


class _BuiltClassifier(BuiltPrediction):
    """The same with a column for each class, and the classes' frequencies."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        # Made anew from the labels of every fit, or given, so no part of the state.
        self.register_buffer("class_prior", None, persistent=False)
        table = objective.class_table()
        table = None if table is None else torch.as_tensor(table)
        self.register_buffer("table", table, persistent=False)

    def prepare(self, side, given, n_components=None):
        codes = side["target"]
        n_classes = int(codes.max()) + 1
        if given.get("classes") is not None:
            # Of earlier calls too: not every class need be in the rows of this one.
            n_classes = len(given["classes"])
        if not n_classes:
            raise ValueError(
                f"y has no labelled row: {type(self.objective).__name__} needs a class for some "
                "rows; -1 marks the others."
            )
        if self.table is None:
            self.head = zero_head(n_components, n_classes)
        else:
            last = codes.new_tensor([n_classes - 1])
            check_classes(last, self.table, "class_embeddings", True)
            # Column for column at first, without a draw.
            width = self.table.shape[1]
            self.head = nn.utils.skip_init(nn.Linear, width, n_components, bias=False)
            nn.init.eye_(self.head.weight)
        self.class_prior = class_frequencies(codes, n_classes)

    def forward(self, views, **named):
        named = {"class_prior": self.class_prior, **named}
        return super().forward(views, table=self.table, **named)


def of_class_vectors(h, table, head):
    """Cosines of rows (V, n, h) with vectors of classes (C, q), which a head maps: (V n, C)."""
    if head is None:
        table = table @ torch.eye(table.shape[1], h.shape[2], dtype=h.dtype, device=h.device)
    else:
        table = head(table)
    return normalize(h).flatten(0, 1) @ normalize(table).T


def class_frequencies(codes, n_classes):
    """Share of each class (C,) among the labelled rows; a class without a row counts as one."""
    counts = (codes[:, None] == torch.arange(n_classes, device=codes.device)).sum(0)
    counts = counts.clamp_min(1).double()
    return (counts / counts.sum()).float()


class CrossEntropy(Objective):
    r"""Cross-entropy of a linear classification of the embedding.

    With the embedding h_i of row i, its class y_i out of C, the share :math:`\pi_c` of
    class c among the labelled training rows, and a linear head W, b that is trained
    along,

    .. math::

        f_i = W h_i + b + \alpha \log \pi, \qquad
        l_i = -(1 - \epsilon) \log \mathrm{softmax}(f_i)_{y_i}
              - \frac{\epsilon}{C} \sum_{c=1}^C \log \mathrm{softmax}(f_i)_c

    Every row of every view is an anchor; rows without a label do not count. Alone, it
    trains an encoder together with a linear classifier; added to another objective it
    keeps the classes readable: ``SupCon() + CrossEntropy()``.

    With ``class_embeddings``, a vector t_c for each class such as that of its name, the classes
    are told by cosines, and only a linear map A is trained along:

    .. math:: f_{ic} = s(h_i, A t_c) / \tau + \alpha \log \pi_c

    What has been learned then reads classes off that no row of the training was in: see the notes.

    With ``information``, rows without a label count as well: of the U rows of a batch that have
    none, and :math:`p_i = \mathrm{softmax}(W h_i + b)`,

    .. math:: L = \mathrm{mean}_i \, l_i - \lambda \left(
        H\Big(\frac1U \sum_u p_u\Big) - \frac1U \sum_u H(p_u) \right)

    is less where each of them has a sure class and all classes are as frequent: for a set without
    labels that is unlike the labelled one, such as another domain.

    Parameters
    ----------
    adjustment : float, default=0.0
        Weight alpha of the log frequencies of the classes in training. With 1 the head
        without them, ``W h + b``, is fitted as if all classes were equally frequent: for
        imbalanced classes.

    label_smoothing : float, default=0.0
        Share epsilon of the label that is spread evenly over all classes.

    class_embeddings : array of shape (n_classes, q), default=None
        A vector for each class of y, in sorted order.

    temperature : float, str or component, default=0.1
        Temperature tau of the cosines: a positive number or "learned". Not read without
        ``class_embeddings``.

    information : float, default=0.0
        Weight lambda of the mutual information between unlabelled rows and their classes. 0.3 is
        a good value to start from; batches then need some dozens of such rows.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) holds class codes, -1 for rows without a label. The head starts at
    zero. After a fit it is in the estimator's ``objective_weights_`` as ``head.weight``
    (C, n_components) and ``head.bias`` (C,), in the order of ``classes_``. With
    ``class_embeddings`` ``head.weight`` is A (n_components, q), and there is no bias. Vectors T of
    any classes, those of y or others, are then read by

    ``ZeroShotClassifier(T @ encoder.objective_weights_["head.weight"].T, classes=names)``

    on the columns that were learned, of unit length. Where X and T come from one encoder, such as
    sentences and names of their topics, this classifier on X reads classes that were never trained
    on better than a training with the others does.

    Called on tensors there is no head: the columns of the embedding (of the views, where
    none is given) are the logits, or ``prediction`` (n, C) or (V, n, C) if it is passed.
    The frequencies are then those of the batch, or ``class_prior`` (C,) if it is passed. With
    ``class_embeddings`` A is then the identity, with columns or rows of zeros beside it.

    References
    ----------
    Menon et al., "Long-tail learning via logit adjustment", ICLR 2021. Szegedy et al.,
    "Rethinking the Inception architecture for computer vision", CVPR 2016. Rethmeier and
    Augenstein, "A primer on contrastive pretraining in language processing: methods, lessons
    learned, and perspectives", ACM Computing Surveys 2023: labels as the other side. Li et al.,
    "Cross-domain sentiment classification with contrastive learning and mutual information
    maximization", ICASSP 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CrossEntropy
    >>> logits = torch.tensor([[[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
    >>> CrossEntropy()(logits, target=torch.tensor([0, 1, -1])).mean().round(decimals=4)
    tensor(0.1269)
    """

    requires = ("views", "embedding", "target")
    min_views = 1

    _module = _BuiltClassifier

    _parameter_constraints = {
        "adjustment": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_embeddings": ["array-like", None],
        "temperature": TEMPERATURE_CONSTRAINTS,
        "information": [Interval(Real, 0, None, closed="left")],
        "target": TARGET_CONSTRAINTS,
    }
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}

    def __init__(
        self,
        adjustment: float = 0.0,
        label_smoothing: float = 0.0,
        class_embeddings: ArrayLike | None = None,
        temperature: Temperature = 0.1,
        information: float = 0.0,
        target: str = "y",
    ):
        self.adjustment = adjustment
        self.label_smoothing = label_smoothing
        self.class_embeddings = class_embeddings
        self.temperature = temperature
        self.information = information
        self.target = target

    def class_table(self) -> Tensor | None:
        """Vectors (n_classes, q) of the classes, if they are given."""
        given = self.class_embeddings
        return None if given is None else row_table(given, "class_embeddings")

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        head: nn.Module | None = None,
        class_prior: Tensor | None = None,
        embedding: Tensor | None = None,
        prediction: Tensor | None = None,
        table: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), target (n,) -> (V n,)."""
        n_views, n = views.shape[:2]
        check_shape(self, target, n)
        if table is None or prediction is not None:
            logits = predictions(views, head, embedding, prediction)
        else:
            h = views if embedding is None else embedding
            cosines = of_class_vectors(h, table.to(h.dtype), head)
            logits = cosines / temperature(None, anchor_index(index, views))
        codes, plain = target.repeat(n_views), logits
        if self.adjustment:
            if class_prior is None:
                class_prior = class_frequencies(target, logits.shape[1])
            logits = logits + self.adjustment * class_prior.to(logits.dtype).log()
        loss = F.cross_entropy(
            logits, codes, ignore_index=-1, reduction="none", label_smoothing=self.label_smoothing
        )
        loss = mean_over(loss, codes != -1)
        if self.information:
            loss = loss - self.information * mean_over(informed(plain, codes == -1), codes == -1)
        return loss


def informed(logits: Tensor, some: Tensor) -> Tensor:
    """What some rows say of their classes: their mutual information is the mean over these.

    ``logits`` (n, C), ``some`` (n,) bool -> (n,), for each row the entropy of the mean
    distribution of these rows, less that of its own.
    """
    p = logits.softmax(1)
    mean = mean_over(p, some[:, None].expand_as(p)).mean(0)
    return _entropy(mean) - _entropy(p)


def _entropy(p):
    # The slope of p log p is infinite at zero.
    return -(p * p.clamp_min(torch.finfo(p.dtype).tiny).log()).sum(-1)
