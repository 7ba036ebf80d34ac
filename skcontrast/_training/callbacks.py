"""scikit-learn's callback protocol, where scikit-learn has one (1.9 and later)."""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Stands in for the mixin that this scikit-learn does not have."""

    def with_callbacks(method):
        """Return ``method`` as it is."""
        return method


@contextmanager
def as_task(owner, encoder, X, y):
    """Run the fit of an encoder as the task of the estimator that holds it."""
    if not hasattr(owner, "_init_callback_context"):
        yield
        return
    data = {"estimator": owner, "X": X, "y": y}
    root = owner._init_callback_context(max_subtasks=1)
    root.call_on_fit_task_begin(**data)
    with root.subcontext(task_name="encoder").propagate_callback_context(encoder):
        yield
    root.call_on_fit_task_end(**data)


class FitTasks:
    """The task tree of one fit of ``max_iter`` epochs: a task for the fit, and one for each.

    X and y are handed on to the callbacks. Without an estimator nobody is told.
    """

    def __init__(self, estimator, X, y, max_iter):
        self.estimator, self.data = estimator, {"X": X, "y": y}
        self.root = self.epoch = None
        if hasattr(estimator, "_init_callback_context"):
            self.root = estimator._init_callback_context(max_subtasks=max_iter)
            self.root.call_on_fit_task_begin(estimator=estimator, **self.data)

    def begin_epoch(self):
        """Tell the callbacks that an epoch begins."""
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, attributes):
        """Tell the callbacks that an epoch ended; True when one of them wants to stop.

        ``attributes()`` gives the fitted attributes as if training ended here, the loss in
        ``loss_curve_`` among them. No metadata: scikit-learn hands these to scorers.
        """
        return self._ended(self.epoch, attributes)

    def end(self, attributes):
        """Tell the callbacks that the fit ended."""
        self._ended(self.root, attributes)

    def _ended(self, task, attributes):
        return task is not None and task.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )
