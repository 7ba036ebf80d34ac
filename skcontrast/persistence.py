"""Saving a fitted estimator as JSON and safetensors: loading it runs no code."""

import hashlib
import json
import os
import re
from collections.abc import Collection
from contextlib import contextmanager, suppress
from typing import Any

from sklearn.base import BaseEstimator

from skcontrast._files import folder_at, locked, read_plain, sweep, unwritable, write_whole
from skcontrast._saved.codec import Decoder, Encoder, is_ours
from skcontrast._saved.heads import is_saved
from skcontrast._typing import Estimator, FilePath
from skcontrast._version import __version__

FORMAT = "skcontrast estimator"
# 1, until 0.1: without a checksum over the description.
FORMAT_VERSION, READ = 2, (1, 2)
DESCRIPTION = "estimator.json"
# As _arrays_name makes them: other files of a folder are the user's.
ARRAYS = r"arrays-[0-9a-f]{16}\.safetensors"


def save(estimator: Estimator, folder: FilePath) -> None:
    """Write an estimator of this package, or a pipeline with one, to a folder.

    The folder holds ``estimator.json`` (parameters, components and small attributes,
    with the version of the package and a checksum) and ``arrays-*.safetensors`` (weights), which
    the description names by its checksum: a save that is cut short leaves the model that was
    there before, and of several at a time one model is there in the end. The folder can be read
    without trusting its author: :func:`load` executes nothing from it. Metadata requests and
    scikit-learn callbacks are not kept.

    Parameters
    ----------
    estimator : estimator of this package, Pipeline, ColumnTransformer or FeatureUnion
        Fitted or not; of a GridSearchCV give ``best_estimator_``. As steps, head or base it may
        hold these of scikit-learn: ColumnTransformer, CountVectorizer, ElasticNet,
        ExtraTreesClassifier, ExtraTreesRegressor, FeatureUnion, FrozenEstimator,
        FunctionTransformer, GaussianNB, HistGradientBoostingClassifier,
        HistGradientBoostingRegressor, KNeighborsClassifier, KNeighborsRegressor, Lasso,
        LinearRegression, LinearSVC, LinearSVR, LogisticRegression, LogisticRegressionCV,
        MaxAbsScaler, MinMaxScaler, MultiOutputRegressor, Normalizer, Nystroem, OneHotEncoder,
        OrdinalEncoder, PCA, Pipeline, PowerTransformer, QuantileTransformer, RBFSampler,
        RandomForestClassifier, RandomForestRegressor, Ridge, RidgeCV, RidgeClassifier,
        RobustScaler, SGDClassifier, SGDRegressor, SelectKBest, SelectPercentile, SimpleImputer,
        StackingRegressor, StandardScaler, TfidfTransformer, TfidfVectorizer, TruncatedSVD and
        VarianceThreshold.

    folder : str or path-like
        Made when it is not there; a model already in it is replaced.

    Raises
    ------
    TypeError
        When a parameter holds code or live state, such as a torch module, a callable or
        a generator; ``pickle`` keeps these.

    OSError
        When the disk is full or read-only. Nothing half-written stays.

    Examples
    --------
    >>> import skcontrast
    >>> encoder = skcontrast.ContrastiveEncoder(n_components=4)
    >>> skcontrast.save(encoder, "model")  # doctest: +SKIP
    """
    safetensors, folder = _safetensors(), folder_at(folder, "folder")
    if not (is_ours(estimator) or is_saved(estimator)):
        kind = type(estimator).__name__
        if hasattr(estimator, "best_estimator_"):
            raise TypeError(
                f"a {kind} is not saved, but the best of its estimators is: type "
                "skcontrast.save(search.best_estimator_, folder)."
            )
        raise TypeError(
            f"save writes estimators of skcontrast and pipelines of them, got {kind}: "
            "use joblib.dump for others."
        )
    encoder = Encoder()
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "estimator": encoder.object(estimator, type(estimator).__name__),
    }
    content = safetensors.numpy.save(encoder.arrays)
    description["sha256"] = hashlib.sha256(content).hexdigest()
    description["checksum"] = _checksum(description)
    text = json.dumps(description, indent=1, allow_nan=False).encode()
    with _made(folder), locked(folder):
        _replace(folder, _arrays_name(description["sha256"]), content, text)


@contextmanager
def _made(folder):
    """Make a folder and those above it; where writing to it fails, these go again."""
    new = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(
                f"{str(folder)!r} is a file, or below one: type the path of a folder."
            ) from None
        except OSError as error:
            raise unwritable(folder, error) from None
        yield
    except (OSError, ValueError):
        with suppress(OSError):
            for path in new:
                path.rmdir()
        raise


def _replace(folder, name, content, text):
    """Write both files; the new description takes the old one's place when its arrays are there."""
    sweep(folder, rf"{re.escape(DESCRIPTION)}|{ARRAYS}")
    kept, known = folder / name, (folder / name).exists()
    try:
        write_whole(kept, content)
        write_whole(folder / DESCRIPTION, text)
    except OSError:
        if not known:
            kept.unlink(missing_ok=True)
        raise
    for path in folder.glob("arrays-*.safetensors"):
        if path != kept and re.fullmatch(ARRAYS, path.name):
            path.unlink(missing_ok=True)


def _arrays_name(digest):
    return f"arrays-{digest[:16]}.safetensors"


def _checksum(description):
    """Checksum of all that a description says, whatever the white space between."""
    said = {key: value for key, value in description.items() if key != "checksum"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _safetensors():
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError("save and load need safetensors: type pip install safetensors.") from None
    return safetensors


def load(folder: FilePath, *, trusted_patterns: Collection[str] = ()) -> Any:
    """Read an estimator that :func:`save` wrote.

    Checksums tell every damage, and a folder that someone made by hand is checked against
    what its class may hold: no more memory is taken than the files account for.

    Parameters
    ----------
    folder : str or path-like

    trusted_patterns : collection of str, default=()
        Regular expressions that a ``token_pattern`` of the model may be. The defaults of the
        package and patterns that surely end are run without being named here.

    Returns
    -------
    estimator : estimator

    Raises
    ------
    ValueError
        When the folder is damaged, incomplete, of a newer version, or not one of ours.

    Examples
    --------
    >>> import skcontrast
    >>> encoder = skcontrast.load("model")  # doctest: +SKIP
    """
    safetensors = _safetensors()
    if isinstance(trusted_patterns, str):
        raise TypeError(f"trusted_patterns is one str: type [{trusted_patterns!r}].")
    folder = folder_at(folder, "folder")
    try:
        with locked(folder, shared=True):
            description, content = _contents(folder)
    except FileNotFoundError:
        raise _refusal(folder, f"{DESCRIPTION} is missing") from None
    except NotADirectoryError:
        raise _refusal(folder, "it is a file, not a folder") from None
    try:
        decoder = Decoder(safetensors.numpy.load(content), trusted_patterns)
        value = description["estimator"]
        estimator = decoder.decode(value, _root(value))
        if not isinstance(estimator, BaseEstimator):
            raise ValueError("it describes no estimator")
        decoder.end()
    except MemoryError:  # of a model that is larger than what is left
        raise
    except RecursionError:
        raise _refusal(folder, "its description is nested without end", description) from None
    except Exception as error:  # whatever a stranger's values lead to
        why = str(error).partition("\n")[0].rstrip(".")
        why = why if len(why) < 500 else f"{why[:500]} ..."
        why = why if isinstance(error, ValueError) else f"{type(error).__name__}: {why}"
        raise _refusal(folder, f"its description is broken ({why})", description) from None
    return estimator


def _root(value):
    """The path of the estimator itself: its class, without the place."""
    return re.split(r"[.:]", str(value.get("class", value.get("sklearn"))))[-1]


def _contents(folder):
    """The description of a folder and its arrays as bytes, as their checksums say."""
    description = _read(folder, DESCRIPTION, None)
    try:
        description = json.loads(description, parse_constant=_no_constant)
        found = _checksum(description) if isinstance(description, dict) else None
    except (ValueError, RecursionError) as error:
        raise _refusal(folder, f"{DESCRIPTION} cannot be read ({type(error).__name__})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise _refusal(folder, f"{DESCRIPTION} describes something else")
    version = description.get("format_version")
    given, writer = description.get("checksum"), str(description.get("version"))
    if isinstance(version, bool) or version not in READ:
        if _numbers(writer) <= _numbers(__version__):  # whose formats are all read
            raise _refusal(folder, f"{DESCRIPTION} is damaged or was changed")
        raise ValueError(
            f"{str(folder)!r} was written by skcontrast {writer:.40} in another format than "
            f"skcontrast {__version__} reads: load it with that version."
        )
    if (version > 1 or given is not None) and given != found:
        raise _refusal(folder, f"{DESCRIPTION} is damaged or was changed", description)
    digest = str(description.get("sha256"))
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise _refusal(folder, f"{DESCRIPTION} has no checksum of the arrays", description)
    content = _read(folder, _arrays_name(digest), description)
    if hashlib.sha256(content).hexdigest() != digest:
        why = f"{_arrays_name(digest)} is damaged: it is not what its checksum says"
        raise _refusal(folder, why, description)
    return description, content


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _read(folder, name, description):
    try:
        return read_plain(folder / name)
    except FileNotFoundError:
        why = f"{name} is missing"
    except (OSError, ValueError) as error:
        why = f"{name} cannot be read ({getattr(error, 'strerror', None) or error})"
    raise _refusal(folder, why, description)


def _refusal(folder, why, description=None):
    version = str((description or {}).get("version"))
    if _numbers(version) > _numbers(__version__):
        return ValueError(
            f"{str(folder)!r} was written by skcontrast {version:.40}, which is newer than "
            f"{__version__} here ({why}): load it with that version or a later one."
        )
    return ValueError(f"{str(folder)!r} cannot be loaded: {why}.")


def _numbers(version):
    """The numbers of a version, to compare it by."""
    found = re.match(r"\d{1,6}(\.\d{1,6})*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
