"""Documents as lists of tokens: what comes in is checked, one document after the other."""

import inspect
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache, partial

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from skcontrast._component import StrOptions, warn
from skcontrast._inputs.blocks import Blocks
from skcontrast._inputs.word_breaks import composed, words_of

# Parameters of an estimator that say how a document becomes tokens, as in CountVectorizer.
ANALYSIS = {
    "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
    "tokenizer": [callable, None],
    "token_pattern": [str, None],
    "lowercase": ["boolean"],
    "stop_words": [StrOptions({"english"}), list, tuple, set, frozenset, None],
    "strip_accents": [StrOptions({"ascii", "unicode"}), callable, None],
    "preprocessor": [callable, None],
}
_PLAIN = {str, np.str_}


def check_documents(X, name="X", any_kind=False):
    """Iterate over documents, of which each is a str or a list of tokens; they are read once.

    ``any_kind`` allows documents of any type but None and NaN, as those that a callable
    ``analyzer`` takes. ValueError at once where X, called ``name`` in messages, is no collection of
    documents; while iterating where a document is not one, where the first was of another kind, and
    where there are none.
    """
    refusal = _refusal(X, name)
    if refusal:
        raise ValueError(refusal)
    return _checked(X, name, any_kind)


def _refusal(X, name):
    """Say why ``X`` is no collection of documents, or None."""
    if isinstance(X, (str, bytes)):
        kind = "string" if isinstance(X, str) else "bytes object"
        return f"{name} is one {kind}: pass a list of documents, type [{name}]."
    if sp.issparse(X):
        return (
            f"{name} is a sparse matrix, in which the order of the words is lost: pass the "
            "documents themselves."
        )
    if isinstance(X, Blocks):
        return f"{name} is {X!r}: pass the texts of one block, such as {name}[{X.names[0]!r}]."
    if hasattr(X, "columns") or getattr(X, "ndim", 1) == 2:
        return _table_refusal(X, name)
    if isinstance(X, (Mapping, Set)):
        return (
            f"{name} is a {type(X).__name__}: pass a list of documents, such as "
            f"{'list(' + name + '.values())' if isinstance(X, Mapping) else f'sorted({name})'}."
        )
    if not isinstance(X, Iterable) or getattr(X, "ndim", 1) == 0:
        what = "None" if X is None else f"of type {type(X).__name__}"
        return f"{name} is {what}: pass a list of documents, each a str or a list of tokens."
    return None


def _table_refusal(X, name):
    first = next(iter(getattr(X, "columns", ())), "text")
    column = f"{name}[{first!r}]" if hasattr(X, "columns") else f"{name}[:, 0]"
    return (
        f"{name} is a table: pass one column of documents, such as {column} (in a "
        f"ColumnTransformer {first!r} in place of [{first!r}]), or a list of token lists."
    )


def _checked(X, name, any_kind):
    first, number = None, -1
    for number, document in enumerate(X):
        if _is_missing(document):
            raise ValueError(
                f"document {number} of {name} is {document}: leave it out, or type '' in its place."
            )
        if not any_kind:
            kind = _kind(document, f"document {number} of {name}")
            if first is None and kind != "str" and _holds_texts(document):
                raise ValueError(
                    f"document {number} of {name} holds {len(document)} texts, each of which would "
                    "be taken for one word: pass every text as a str of its own; of pairs of texts "
                    "pass all as one list, with groups=[0, 0, 1, 1, ...] where fit takes groups."
                )
            first = first or kind
            if kind != first:
                raise ValueError(
                    f"document {number} of {name} is a {kind}, but document 0 is a {first}: pass "
                    "one kind, str or lists of tokens."
                )
        yield document
    if number < 0 and isinstance(X, Iterator):
        raise ValueError(
            f"{name} is an iterator that yields nothing, perhaps because it was used up before: "
            "pass a list or a new generator."
        )
    if number < 0:
        raise ValueError(f"{name} holds no documents: pass at least one.")


def _holds_texts(document):
    """Whether what should be words is a pair or triple of texts."""
    return 1 < len(document) < 4 and all(len(str(text).split()) > 2 for text in document)


def _is_missing(value):
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _kind(document, where):
    if isinstance(document, str):
        return "str"
    if isinstance(document, (list, tuple, np.ndarray)):
        _check_tokens(document, where)
        return "list of tokens"
    what = type(document).__name__
    advice = "pass each document as a str or a list of tokens"
    if isinstance(document, bytes):
        advice = "type [document.decode() for document in X]"
    elif hasattr(document, "to_list"):
        advice = "type [document.to_list() for document in X]"
    raise ValueError(f"{where} is of type {what}: {advice}.")


def _check_tokens(tokens, where):
    if getattr(tokens, "ndim", 1) != 1:
        raise ValueError(f"{where} is an array of shape {tokens.shape}: pass a list of tokens.")
    if set(map(type, tokens)) <= _PLAIN:
        return
    for token in tokens:
        if not isinstance(token, str):
            raise ValueError(
                f"{where} holds {token!r:.40} of type {type(token).__name__} among its tokens: "
                "tokens are str."
            )


def check_strings(words, name):
    """The words of a parameter as a list; ValueError where one is not a str."""
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"{name} must hold strings, got {word!r:.40}.")
    return words


def in_one_form(tokens):
    """Tokens as :func:`composed` makes them, but for those of which it leaves nothing."""
    if "".join(tokens).isascii():
        return tokens
    return [composed(token) or token for token in tokens]


def build_analyzer(estimator):
    """Return the function that turns a str into tokens, by an estimator's parameters.

    Read are those of CountVectorizer; where the estimator lacks one, its default there holds.
    ``token_pattern="auto"`` takes words as :func:`words_of` does, of ``estimator.shortest_word``
    characters or more, 2 where it does not say. But for a ``preprocessor`` or a callable
    ``analyzer``, accents are brought to one form first.
    """
    given = estimator.get_params(deep=False)
    chosen = {name: given[name] for name in ANALYSIS if name in given}
    if not isinstance(chosen.get("stop_words"), (str, type(None))):
        chosen["stop_words"] = check_strings(chosen["stop_words"], "stop_words")
    pattern, tokenizer = chosen.get("token_pattern", ""), chosen.get("tokenizer")
    if pattern is None and tokenizer is None and chosen.get("analyzer", "word") == "word":
        raise ValueError("token_pattern is None: type a regular expression, or tokenizer=.")
    if pattern == "auto":
        words = partial(words_of, shortest=getattr(estimator, "shortest_word", 2))
        chosen |= {"token_pattern": None, "tokenizer": tokenizer or words}
    if callable(chosen.get("analyzer")) or chosen.get("preprocessor") is not None:
        prepare = None
    else:
        prepare = composed
        if not isinstance(chosen.get("stop_words"), (str, type(None))):
            chosen["stop_words"] = in_one_form(chosen["stop_words"])
    try:
        analyze = CountVectorizer(**chosen).build_analyzer()
    except re.error as error:
        raise ValueError(f"token_pattern={pattern!r} is no regular expression: {error}.") from None
    return analyze if prepare is None else lambda text: analyze(prepare(text))


@cache
def _defaults(cls):
    return {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def typed(estimator, names):
    """Those of the parameters ``names`` that are neither None nor what they are by default."""
    given, defaults = estimator.get_params(deep=False), _defaults(type(estimator))
    return [name for name in names if given.get(name) not in (None, defaults.get(name))]


def warn_unused(names, why):
    """Say that parameters which were typed have no effect, if there are any."""
    if names:
        have = "have" if len(names) > 1 else "has"
        warn(f"{' and '.join(names)} {have} no effect: {why}.")


def _warn_unused(estimator):
    """Say which parameters of the analysis have no effect beside another one."""
    given = estimator.get_params(deep=False)
    analyzer = given.get("analyzer", "word")
    if callable(analyzer):
        others = [name for name in ANALYSIS if name != "analyzer"]
        return warn_unused(typed(estimator, others), "the callable analyzer does all")
    if given.get("preprocessor") is not None:
        replaced = typed(estimator, ["lowercase", "strip_accents"])
        warn_unused(replaced, "preprocessor= stands in their place")
    if analyzer != "word":
        words = typed(estimator, ["tokenizer", "token_pattern", "stop_words"])
        warn_unused(words, f"analyzer={analyzer!r} takes letters in place of words")
    elif given.get("tokenizer") is not None:
        warn_unused(typed(estimator, ["token_pattern"]), "tokenizer= stands in its place")


def token_lists(X, estimator, name="X"):
    """Iterate over documents as lists of tokens, whose accents are brought to one form.

    A generator is read once. The parameters of the estimator say how a str becomes tokens; a
    callable ``analyzer`` is given every document, of whatever type. Parameters that were typed and
    have no effect are said in a warning.
    """
    any_kind = callable(getattr(estimator, "analyzer", None))
    documents = check_documents(X, name, any_kind)
    _warn_unused(estimator)
    return _analyzed(documents, build_analyzer(estimator), estimator, any_kind, name)


def _analyzed(documents, analyze, estimator, any_kind, name):
    for number, document in enumerate(documents):
        if not (any_kind or isinstance(document, str)):
            if number == 0:
                why = f"{name} holds lists of tokens, which are taken as they are"
                warn_unused(typed(estimator, ANALYSIS), why)
            yield in_one_form(document)
            continue
        tokens = analyze(document)
        where = f"what the analyzer makes of document {number} of {name}"
        if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
            raise ValueError(f"{where} is of type {type(tokens).__name__}: it must give a list.")
        if not isinstance(tokens, (list, tuple)):
            tokens = list(tokens)
        _check_tokens(tokens, where)
        yield in_one_form(tokens)


def analyzed(X, estimator, name="X"):
    """Return the documents as a list of lists of tokens."""
    return [list(tokens) for tokens in token_lists(X, estimator, name)]


def gathered(documents, numbers):
    """What ``numbers`` gives for the tokens of documents, int32 (n_tokens,), and offsets int64."""
    ids, offsets = array("i"), array("q", [0])
    for tokens in documents:
        ids.extend(numbers(tokens))
        offsets.append(len(ids))
    return np.array(ids, dtype=np.int32), np.array(offsets, dtype=np.int64)


def numbered(documents):
    """Number words when they are first seen: words, ids, offsets."""
    seen = defaultdict(None)
    seen.default_factory = seen.__len__
    ids, offsets = gathered(documents, lambda tokens: map(seen.__getitem__, tokens))
    return list(seen), ids, offsets
