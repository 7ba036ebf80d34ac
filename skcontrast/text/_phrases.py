"""Phrases: tokens that belong together, found by :mod:`._collocations` and joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import Interval, Real, StrOptions, check_parameters, warn
from skcontrast._inputs.documents import ANALYSIS, analyzed, check_strings, in_one_form
from skcontrast._site import OnSite
from skcontrast._typing import Documents, Self, Words
from skcontrast.text._collocations import ENGLISH, count_pairs, join_phrases, score_pairs
from skcontrast.text._word_vectors import COUNT

AUTO_THRESHOLD = {"default": 10.0, "npmi": 0.5}


class PhraseTransformer(  # type: ignore[call-arg]
    OnSite, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    r"""Find words that belong together, and join them into one token.

    "new york" becomes "new_york" where the two stand together more often than chance has
    it. Documents go in, as strings or lists of tokens, and lists of tokens come out, which
    :class:`Word2VecVectorizer` and :class:`Sent2VecVectorizer` take as they are.

    Parameters
    ----------
    min_count : int, default=5
        A pair that occurs fewer times is no phrase. It is also the discount
        :math:`\delta` of the default score.

    threshold : float or "auto", default="auto"
        A pair is a phrase if its score is above. "auto" is 10 with ``scoring="default"``,
        halved in each further pass, and 0.5 with "npmi".

    scoring : {"default", "npmi"}, default="default"
        "default" is word2phrase's score with gensim's factor V, the number of distinct words
        and pairs; it grows with the corpus, and at most is :math:`V / (4 \delta)`.
        "npmi" is normalised pointwise mutual information, from -1 to 1.

    n_passes : int, default=1
        Passes over the documents. In the second, two phrases can be joined to one of
        four words.

    delimiter : str, default="_"
        Stands between the words of a phrase.

    connector_words : {"english"}, set or list of str, or None, default=None
        Words that may stand inside a phrase, as in "bank_of_america", but begin and end none.
        "english" is a list of articles, prepositions and conjunctions.

    max_features : int or None, default=None
        Keep this many phrases in each pass, the most frequent.

    stop_words : {"english"} or collection of str, default=None
        Words to leave out, before phrases are looked for.

    analyzer, tokenizer, token_pattern : default=as in Word2VecVectorizer
        How a str becomes tokens: see :class:`Word2VecVectorizer`.

    lowercase, strip_accents, preprocessor : default=as in Word2VecVectorizer
        See :class:`Word2VecVectorizer`.

    Attributes
    ----------
    phrases_ : dict from str to float
        The phrases and their scores, the highest first.

    threshold_ : list of float
        The threshold of each pass.

    Notes
    -----
    The output is a list of lists, which has no columns: :meth:`get_feature_names_out` gives
    one name, and :meth:`set_output` changes nothing. Both are there so that a
    :class:`~sklearn.pipeline.Pipeline` can ask its last step.

    A fitted transformer can also be the ``tokenizer`` of a vectorizer. Where that is cloned,
    as a grid search does, pass the method ``phrases.tokenize``: a clone of the transformer
    itself is not fitted.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their
    compositionality", NeurIPS 2013. Bouma, "Normalized (pointwise) mutual information in
    collocation extraction", GSCL 2009.

    Examples
    --------
    >>> from skcontrast import PhraseTransformer
    >>> texts = ["I love New York", "New York is big", "a new car", "old York"]
    >>> phrases = PhraseTransformer(min_count=2, scoring="npmi", threshold=0.3).fit(texts)
    >>> phrases.transform(["Cars in New York"])
    [['cars', 'in', 'new_york']]
    >>> {phrase: round(score, 2) for phrase, score in phrases.phrases_.items()}
    {'new_york': 0.52}
    """

    _parameter_constraints = {
        "min_count": [COUNT],
        "threshold": [StrOptions({"auto"}), Interval(Real, -1, None, closed="left")],
        "scoring": [StrOptions(set(AUTO_THRESHOLD))],
        "n_passes": [COUNT],
        "delimiter": [str],
        "connector_words": [StrOptions({"english"}), set, frozenset, list, tuple, None],
        "max_features": [COUNT, None],
        **ANALYSIS,
    }

    def __init__(
        self,
        min_count: int = 5,
        *,
        threshold: float | Literal["auto"] = "auto",
        scoring: Literal["default", "npmi"] = "default",
        n_passes: int = 1,
        delimiter: str = "_",
        connector_words: Literal["english"] | Words | None = None,
        max_features: int | None = None,
        analyzer: Literal["word", "char", "char_wb"] | Callable = "word",
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        token_pattern: str | None = "auto",
        lowercase: bool = True,
        stop_words: Literal["english"] | Words | None = None,
        strip_accents: Literal["ascii", "unicode"] | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
    ):
        self.min_count = min_count
        self.threshold = threshold
        self.scoring = scoring
        self.n_passes = n_passes
        self.delimiter = delimiter
        self.connector_words = connector_words
        self.max_features = max_features
        self.analyzer = analyzer
        self.tokenizer = tokenizer
        self.preprocessor = preprocessor
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.strip_accents = strip_accents

    def fit(self: Self, X: Documents, y: Any = None) -> Self:
        """Count the words and pairs of the documents, and score the pairs.

        Parameters
        ----------
        X : iterable of str, or of lists of str
            Documents, as strings or as tokens; read once.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Documents, y: Any = None) -> list[list[str]]:
        """Fit, and join the phrases of the same documents; X is read once.

        Parameters
        ----------
        X : iterable of str, or of lists of str

        y : None
            Ignored.

        Returns
        -------
        tokens : list of lists of str
        """
        documents = self._fit(X)
        return [self._join(tokens, self._passes[-1:]) for tokens in documents]

    def transform(self, X: Documents) -> list[list[str]]:
        """Join the phrases of documents.

        Parameters
        ----------
        X : iterable of str, or of lists of str

        Returns
        -------
        tokens : list of lists of str
        """
        check_is_fitted(self)
        return [self._join(tokens, self._passes) for tokens in analyzed(X, self)]

    def tokenize(self, document: str | Sequence[str]) -> list[str]:
        """Tokens of one document, with its phrases joined.

        Parameters
        ----------
        document : str or list of str

        Returns
        -------
        tokens : list of str
        """
        check_is_fitted(self)
        (tokens,) = analyzed([document], self, "[document]")
        return self._join(tokens, self._passes)

    __call__ = tokenize

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name of the one column, of lists of tokens, that comes out.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of shape (1,)
        """
        check_is_fitted(self)
        return np.array(["tokens"], dtype=object)

    def set_output(self: Self, *, transform: Any = None) -> Self:
        """Do nothing: the output is a list of lists whatever is asked.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self : object
        """
        return self

    def _fit(self, X):
        """Find the phrases; the documents come back with those of all passes but the last."""
        check_parameters(self)
        self._check_together()
        connectors, passes, thresholds, found, best = self._connectors(), [], [], {}, None
        documents = analyzed(X, self)
        for i in range(self.n_passes):
            if i:
                documents = [self._join(tokens, passes[-1:]) for tokens in documents]
            words, pairs, n_tokens = count_pairs(documents, connectors)
            scores = score_pairs(words, pairs, n_tokens, self.scoring, self.min_count)
            thresholds.append(self._threshold_of(i))
            passes.append(self._select(scores, pairs, thresholds[-1]))
            found |= passes[-1]
            joined = ((score, self.delimiter.join(pair)) for pair, score in scores.items())
            best = best or max(joined, default=None)
        if not found:
            self._warn_none(best, thresholds[0], len(words))
        self.phrases_ = dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
        self.threshold_, self._passes = thresholds, passes
        return documents

    def _select(self, scores, pairs, threshold):
        """The phrases of a pass, as strings, with their scores."""
        kept = [pair for pair, score in scores.items() if score > threshold]
        kept.sort(key=lambda pair: (-pairs[pair], pair))
        return {self.delimiter.join(pair): scores[pair] for pair in kept[: self.max_features]}

    def _join(self, tokens, passes):
        connectors = self._connectors()
        for phrases in passes:
            tokens = join_phrases(tokens, phrases, self.delimiter, connectors)
        return tokens

    def _connectors(self):
        if self.connector_words == "english":
            return ENGLISH
        words = check_strings(self.connector_words or (), "connector_words")
        return frozenset(in_one_form(words))

    def _threshold_of(self, i):
        if self.threshold != "auto":
            return float(self.threshold)
        start = AUTO_THRESHOLD[self.scoring]
        return start / 2**i if self.scoring == "default" else start

    def _check_together(self):
        """Check what two parameters make together."""
        if self.threshold == "auto":
            return
        if self.scoring == "default" and self.threshold <= 0:
            raise ValueError(
                f"threshold={self.threshold!r} lets every pair pass with scoring='default': type "
                "a threshold above 0, such as 10, or scoring='npmi'."
            )
        if self.scoring == "npmi" and self.threshold >= 1:
            raise ValueError(
                f"threshold={self.threshold!r} is not reached with scoring='npmi', which is at "
                "most 1: type a threshold below 1, such as 0.5, or scoring='default'."
            )

    def _warn_none(self, best, threshold, n_words):
        advice = "Type a lower threshold or min_count, or scoring='npmi'"
        if not n_words:
            what = "the documents hold no words"
            advice = "Pass other documents, or another token_pattern or tokenizer"
        elif best is None:
            what = f"no pair of words occurs min_count={self.min_count} times"
        else:
            what = f"the highest score is {best[0]:.3g}, of {best[1]!r}"
        warn(
            f"No phrase was found at threshold {threshold:.3g}: {what}. {advice}.",
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
