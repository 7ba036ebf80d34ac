"""Word2VecVectorizer: documents as the pooled vectors of their words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skcontrast._component import Integral, Interval, StrOptions, check_parameters, warn
from skcontrast._inputs.documents import typed, warn_unused
from skcontrast._typing import FilePath, RandomState, Self, Words
from skcontrast.text._fit import SkipGramFitMixin
from skcontrast.text._text_format import read_word2vec
from skcontrast.text._vocabulary import given_words, warn_capitals
from skcontrast.text._word_vectors import COUNT, FROM_ZERO, POSITIVE


class Word2VecVectorizer(SkipGramFitMixin, BaseEstimator):
    r"""Learn vectors of words from documents, and pool them into vectors of documents.

    Skip-gram with negative sampling: a word and the words around it are pulled together,
    random words are pushed away,

    .. math:: -\sum_{(w, c)} \Big[ \log \sigma(u_w^\top v_c)
              + \sum_{k=1}^{K} \log \sigma(-u_w^\top v_{c_k}) \Big]

    with word vectors u (``embedding_``), context vectors v (``context_embedding_``) and K
    ``negative`` words drawn at random. A document is the mean of the vectors of its words.

    Parameters
    ----------
    n_components : int, default=100
        Length of the vectors.

    window : int, default=5
        Farthest distance of two words that are paired. For each word the distance is
        drawn anew between 1 and ``window``, so near words count more.

    negative : int, default=5
        Random words for each pair.

    min_count : int, default=5
        Words that occur less often are left out; small corpora need 1 or 2.

    max_features : int, default=None
        Keep at most so many words, the most frequent ones.

    vocabulary : mapping or iterable of str, default=None
        The words, in the order of their rows. ``min_count`` and ``max_features`` then
        count for nothing.

    sample : float, default=1e-3
        Words whose share of the text is above this are thinned out at random; 0 keeps
        all.

    ns_exponent : float, default=0.75
        Random words are drawn by their counts to this power.

    max_iter : int, default=5
        Number of epochs. Corpora below ten million words gain from more.

    learning_rate : float, default=0.025
        Learning rate at the start.

    min_learning_rate : float, default=1e-4
        Learning rate at the end; it falls linearly.

    objective : {"sgns", "margin"}, default="sgns"
        "sgns" is the above. "margin" compares by the cosine, and asks for a pair that its
        cosine exceeds that of a random pair by ``margin``.

    margin : float, default=0.2
        See ``objective``.

    solver : {"auto", "block", "numba", "spectral"}, default="auto"
        "block" runs on torch and serves GPUs; "numba" is compiled for the CPU and needs
        numba installed; "auto" takes "numba" where it is installed and the device is no
        GPU, and "block" elsewhere. "spectral" factorises the matrix of pointwise mutual
        information, which skip-gram does in the limit: it takes no epochs, and is often
        better on corpora of a few million words.

    pooling : {"mean", "sif", "max"}, default="mean"
        How a document is made of its words. "sif" (smooth inverse frequency) weights a
        word of relative frequency p by a / (a + p) in the mean, and takes away what all
        documents have in common.

    sif_a : float, default=1e-3
        The a of "sif".

    n_removed : int, default=1
        Number of common directions that "sif" takes away.

    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        How a str becomes tokens, as in scikit-learn's CountVectorizer, which this and the
        next six parameters are handed to. Documents that are lists of tokens are taken as
        they are, unless this is a callable, which is given every document.

    tokenizer : callable, default=None
        Splits a str into tokens.

    token_pattern : str, default="auto"
        Regular expression of a token. "auto" takes words of two or more letters, with their
        marks, in any script. Where no spaces stand between words, as in Chinese, Japanese or
        Thai, it takes overlapping pieces of two or three letters.

    lowercase : bool, default=True
        Whether to turn letters into lower case.

    stop_words : {"english"} or collection of str, default=None
        Words to leave out.

    strip_accents : {"ascii", "unicode"} or callable, default=None
        Whether to take off accents. Others are joined with their letters, so that a word has
        one form however its accents were typed.

    preprocessor : callable, default=None
        Takes the place of ``lowercase`` and ``strip_accents``, and leaves accents as they are.

    shift : float, default=1.0
        "spectral": the number k in max(PMI - log k, 0); more keeps fewer pairs.

    power : float, default=0.5
        "spectral": singular values are taken to this power.

    smoothing : float, default=0.75
        "spectral": counts of contexts are taken to this power.

    block_size : int, default=None
        "block": words in a step. None chooses by the corpus and the device.

    n_jobs : int, default=None
        Number of threads; more than two are of no use. The result does not depend on it.

    device : str or torch.device, default="auto"
        Where "block" runs: "auto" takes CUDA, else MPS, else the CPU.

    random_state : int, RandomState instance or None, default=None
        An int makes two fits on one machine equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch, with its loss and the time that is left.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Rows of the words, in order: by falling count, then by the alphabet.

    counts_ : ndarray of shape (n_words,)
        Occurrences of the words.

    embedding_ : float32 ndarray of shape (n_words, n_components)
        Vectors of the words.

    context_embedding_ : float32 ndarray of shape (n_words, n_components)
        Vectors of the words as contexts.

    common_components_ : ndarray of shape (n_removed, n_components)
        What pooling="sif" takes away; fitted with this pooling only.

    information_gain_ : ndarray of shape (n_words,)
        How much a word says about the words around it, in nats, read off the lengths of
        the vectors; ``corrected_information_gain_`` is less what rare words have by
        chance. Computed when asked for.

    loss_curve_ : list of float
        Mean loss of a pair in each epoch.

    n_iter_ : int
        Number of epochs.

    Notes
    -----
    Two fits with one seed are equal whatever ``n_jobs``; solvers differ from each other.
    A generator is read once. Documents without a known word become rows of zeros, and a
    warning counts them.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their
    compositionality", NeurIPS 2013.

    Levy, Goldberg, "Neural word embedding as implicit matrix factorization", NeurIPS
    2014 (solver="spectral").

    Arora, Liang, Ma, "A simple but tough-to-beat baseline for sentence embeddings",
    ICLR 2017 (pooling="sif").

    Oyama, Yokoi, Shimodaira, "Norm of word embedding encodes information gain", EMNLP
    2023 (``information_gain_``).

    Examples
    --------
    >>> from skcontrast import Word2VecVectorizer
    >>> documents = ["the cat and the dog", "a dog and a cat", "tea or coffee"]
    >>> model = Word2VecVectorizer(n_components=4, min_count=1, random_state=0)
    >>> model.fit_transform(documents).shape
    (3, 4)
    >>> list(model.vocabulary_)
    ['and', 'cat', 'dog', 'the', 'coffee', 'or', 'tea']
    >>> model.word_vectors(["cat", "tea"]).shape
    (2, 4)
    """

    _parameter_constraints = {
        **SkipGramFitMixin._parameter_constraints,
        "window": [COUNT],
        "min_learning_rate": [FROM_ZERO],
        "objective": [StrOptions({"sgns", "margin"})],
        "margin": [FROM_ZERO],
        "solver": [StrOptions({"auto", "block", "numba", "spectral"})],
        "pooling": [StrOptions({"mean", "sif", "max"})],
        "sif_a": [POSITIVE],
        "n_removed": [Interval(Integral, 0, None, closed="left")],
        "shift": [POSITIVE],
        "power": [FROM_ZERO],
        "smoothing": [FROM_ZERO],
        "block_size": [COUNT, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components: int = 100,
        *,
        window: int = 5,
        negative: int = 5,
        min_count: int = 5,
        max_features: int | None = None,
        vocabulary: Mapping[str, int] | Iterable[str] | None = None,
        sample: float = 1e-3,
        ns_exponent: float = 0.75,
        max_iter: int = 5,
        learning_rate: float = 0.025,
        min_learning_rate: float = 1e-4,
        objective: Literal["sgns", "margin"] = "sgns",
        margin: float = 0.2,
        solver: Literal["auto", "block", "numba", "spectral"] = "auto",
        pooling: Literal["mean", "sif", "max"] = "mean",
        sif_a: float = 1e-3,
        n_removed: int = 1,
        analyzer: Literal["word", "char", "char_wb"] | Callable = "word",
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        token_pattern: str | None = "auto",
        lowercase: bool = True,
        stop_words: Literal["english"] | Words | None = None,
        strip_accents: Literal["ascii", "unicode"] | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
        shift: float = 1.0,
        power: float = 0.5,
        smoothing: float = 0.75,
        block_size: int | None = None,
        n_jobs: int | None = None,
        device: str | torch.device = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.window = window
        self.negative = negative
        self.min_count = min_count
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.sample = sample
        self.ns_exponent = ns_exponent
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.min_learning_rate = min_learning_rate
        self.objective = objective
        self.margin = margin
        self.solver = solver
        self.pooling = pooling
        self.sif_a = sif_a
        self.n_removed = n_removed
        self.analyzer = analyzer
        self.tokenizer = tokenizer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor
        self.shift = shift
        self.power = power
        self.smoothing = smoothing
        self.block_size = block_size
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def from_word2vec_format(cls: type[Self], path: FilePath, **params: Any) -> Self:
        """Read word vectors from word2vec's text format, or GloVe's, as a fitted vectoriser.

        The format keeps neither counts nor vectors of contexts: ``counts_`` and
        ``context_embedding_`` are zeros, pooling="sif" and ``information_gain_`` are to be
        had only after :meth:`partial_fit`, which goes on from the vectors read.

        The numbers are the last fields of a line, parted by blanks or tabs, and the word is
        what stands before them, blanks included, its accents joined with their letters as in
        texts. Blank lines are skipped, of a word that comes twice the first line is taken, and
        a line that cannot be read, or holds a control character, is refused by its number.

        Parameters
        ----------
        path : str or path-like
            May be gzipped.

        **params : dict
            Other parameters, such as ``pooling`` and ``lowercase``. ``max_features`` reads so
            many words from the beginning, where the most frequent ones stand in most files, and
            ``vocabulary`` the words it names, in its order; the others take no memory.

        Returns
        -------
        vectorizer : Word2VecVectorizer
            With ``n_components`` of the file.
        """
        model = cls(**params)
        check_parameters(model)
        wanted = None if model.vocabulary is None else given_words(model.vocabulary)
        if wanted is not None:
            warn_unused(typed(model, ["max_features"]), "vocabulary= says which words are read")
        warn_unused([name for name in ("min_count",) if name in params], "a file holds no counts")
        words, vectors = read_word2vec(path, wanted, model.max_features)
        if params.setdefault("n_components", vectors.shape[1]) != vectors.shape[1]:
            raise ValueError(
                f"n_components={model.n_components}, but the vectors of the file have "
                f"{vectors.shape[1]} entries: leave n_components out."
            )
        if wanted is not None and len(words) < len(wanted):
            known = set(words)
            missing = [word for word in wanted if word not in known]
            warn(
                f"{len(missing)} of the {len(wanted)} words of vocabulary=, such as "
                f"{missing[0]!r:.60}, are not in the file and are left out."
            )
        if "lowercase" not in params:
            warn_capitals(model, words, "the file")
        model.n_components = vectors.shape[1]
        model.vocabulary_ = {word: row for row, word in enumerate(words)}
        model.counts_ = np.zeros(len(words), dtype=np.int64)
        # The zeros take no memory until partial_fit.
        model.embedding_, model.context_embedding_ = vectors, np.zeros(vectors.shape, np.float32)
        model.loss_curve_, model.n_iter_ = [], 0
        return model
