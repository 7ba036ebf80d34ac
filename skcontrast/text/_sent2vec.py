"""Sent2VecVectorizer: documents as the means of vectors that were learnt to be averaged."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import torch
from sklearn.base import BaseEstimator

from skcontrast._component import Integral, Interval
from skcontrast._typing import RandomState, Words
from skcontrast.text._sent2vec_fit import Sent2VecFitMixin
from skcontrast.text._word_vectors import COUNT


class Sent2VecVectorizer(Sent2VecFitMixin, BaseEstimator):
    r"""Learn vectors of words and word n-grams whose mean is the vector of a document.

    Each word t of a document is told from random words by the mean of all else in it,

    .. math:: -\log \sigma(u_t^\top h_t) - \sum_{k=1}^{K} \log \sigma(-u_{n_k}^\top h_t),
              \qquad h_t = \frac{1}{|C(t)|} \sum_{c \in C(t)} v_c

    with C(t) the other words of the document and their n-grams, v the vectors of these and u
    those of words as targets. :class:`Word2VecVectorizer` averages vectors that were learnt
    for single words; here they are learnt for the mean.

    Parameters
    ----------
    n_components : int, default=100
        Length of the vectors.

    ngram : int, default=2
        Words of the longest n-gram; 1 takes words alone. N-grams that occur once are left
        out.

    n_buckets : int, default=2_000_000
        N-grams are hashed to so many numbers, and those that share one share a vector.
        Only numbers that occur take memory. Subwords are hashed to as many.

    negative : int, default=10
        Random words for each word.

    min_count : int, default=5
        Words that occur less often are left out; small corpora need 1 or 2.

    sample : float, default=1e-3
        Words whose share of the text is above this are targets less often; 0 makes each
        occurrence a target. All stay in the contexts. Corpora of many million words want
        1e-4 or less.

    ns_exponent : float, default=0.5
        Random words are drawn by their counts to this power.

    max_iter : int, default=20
        Number of epochs. Corpora of many million words need fewer.

    learning_rate : float, default=0.2
        Learning rate at the start; it falls linearly to 0.

    dropout_ngrams : int, default=2
        So many words of each document, drawn anew in each epoch, are in no n-gram.

    subwords : bool, default=False
        Whether a word is the mean of its own vector and those of its character n-grams, as
        in fastText. Words that were not seen in ``fit`` then have vectors too.

    device : str or torch.device, default="auto"
        Where training runs: "auto" takes CUDA, else MPS, else the CPU.

    max_features, vocabulary, random_state, verbose : default=as in Word2VecVectorizer
        See :class:`Word2VecVectorizer`.

    analyzer, tokenizer, token_pattern, lowercase : default=as in Word2VecVectorizer
        See :class:`Word2VecVectorizer`.

    stop_words, strip_accents, preprocessor : default=as in Word2VecVectorizer
        See :class:`Word2VecVectorizer`.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Rows of the words, in order: by falling count, then by the alphabet.

    counts_ : ndarray of shape (n_words,)
        Occurrences of the words.

    embedding_ : float32 ndarray of shape (n_words, n_components)
        Vectors of the words.

    target_embedding_ : float32 ndarray of shape (n_words, n_components)
        Vectors of the words as targets.

    ngram_buckets_ : ndarray of shape (n_ngrams,)
        Hashes of the n-grams that have vectors, sorted.

    ngram_embedding_ : float32 ndarray of shape (n_ngrams, n_components)
        Vectors of the n-grams.

    subword_buckets_, subword_embedding_ : ndarrays
        The same for the character n-grams of words; empty without ``subwords``.

    loss_curve_ : list of float
        Mean loss of a target in each epoch.

    n_iter_ : int
        Number of epochs.

    Notes
    -----
    A document's vector is the mean over its words and n-grams that have vectors. Documents
    that have none become rows of zeros, and a warning counts them. Steps hold several
    documents and share their random words, and rows that occur often in a step are held back.

    References
    ----------
    Pagliardini, Gupta, Jaggi, "Unsupervised learning of sentence embeddings using
    compositional n-gram features", NAACL 2018.

    Bojanowski et al., "Enriching word vectors with subword information", TACL 2017
    (``subwords``).

    Examples
    --------
    >>> from skcontrast import Sent2VecVectorizer
    >>> documents = ["the cat and the dog", "a dog and a cat", "tea or coffee"]
    >>> model = Sent2VecVectorizer(n_components=4, min_count=1, subwords=True, random_state=0)
    >>> model.fit_transform(documents).shape
    (3, 4)
    >>> model.word_vectors(["cat", "cats"]).shape
    (2, 4)
    """

    _parameter_constraints = {
        **Sent2VecFitMixin._parameter_constraints,
        "ngram": [COUNT],
        "n_buckets": [Interval(Integral, 1, 2**62, closed="both")],
        "dropout_ngrams": [Interval(Integral, 0, None, closed="left")],
        "subwords": ["boolean"],
    }

    def __init__(
        self,
        n_components: int = 100,
        *,
        ngram: int = 2,
        n_buckets: int = 2_000_000,
        negative: int = 10,
        min_count: int = 5,
        max_features: int | None = None,
        vocabulary: Mapping[str, int] | Iterable[str] | None = None,
        sample: float = 1e-3,
        ns_exponent: float = 0.5,
        max_iter: int = 20,
        learning_rate: float = 0.2,
        dropout_ngrams: int = 2,
        subwords: bool = False,
        analyzer: Literal["word", "char", "char_wb"] | Callable = "word",
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        token_pattern: str | None = "auto",
        lowercase: bool = True,
        stop_words: Literal["english"] | Words | None = None,
        strip_accents: Literal["ascii", "unicode"] | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
        device: str | torch.device = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.ngram = ngram
        self.n_buckets = n_buckets
        self.negative = negative
        self.min_count = min_count
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.sample = sample
        self.ns_exponent = ns_exponent
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.dropout_ngrams = dropout_ngrams
        self.subwords = subwords
        self.analyzer = analyzer
        self.tokenizer = tokenizer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
