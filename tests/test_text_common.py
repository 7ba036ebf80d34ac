"""The checks of text_checks.py, on every estimator that takes text."""

import pytest
from text_checks import CHECKS, VECTORIZER_CHECKS, check_save_and_load
from text_instances import text_instances, vectorizer_instances

TEXT = text_instances()
VECTORIZERS = vectorizer_instances()


def named(checks):
    return pytest.mark.parametrize("check", checks, ids=[c.__name__ for c in checks])


def on_every_text_estimator(function):
    return pytest.mark.parametrize("estimator", TEXT, ids=[repr(e)[:80] for e in TEXT])(function)


@on_every_text_estimator
@named(CHECKS)
def test_text_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "grid"), VECTORIZERS, ids=[repr(e)[:80] for e, _ in VECTORIZERS]
)
@named(VECTORIZER_CHECKS)
def test_vectorizer(estimator, grid, check):
    check(estimator, grid)


@on_every_text_estimator
def test_save_and_load(estimator, tmp_path):
    check_save_and_load(estimator, tmp_path / "model")
