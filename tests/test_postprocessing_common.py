"""scikit-learn's checks on what is done with an embedding after training, and saving."""

import inspect
import subprocess
import sys

import pytest
import test_common
from postprocessing_instances import postprocessing_instances
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcontrast import postprocessing

INSTANCES = postprocessing_instances()


def test_every_estimator_is_tested():
    found = {v for v in vars(postprocessing).values() if inspect.isclass(v) and hasattr(v, "fit")}
    assert found == {type(e) for e in INSTANCES}


@parametrize_with_checks(INSTANCES)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", INSTANCES, ids=repr)
@pytest.mark.parametrize("name", test_common.UNLISTED)
def test_scikit_learn_unlisted(estimator, name):
    check = getattr(estimator_checks, name)
    check(type(estimator).__name__, clone(estimator))


def test_torch_is_not_needed():
    code = "import sys, skcontrast.postprocessing; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
