"""What a fit says while it runs, where ``verbose`` asks for it: plain lines, in any output."""

from contextlib import contextmanager
from time import perf_counter

from sklearn.exceptions import EfficiencyWarning

from skcontrast._component import warn

# A fit of more seconds is told of, by the time of so many steps after so many first ones, which
# load and compile.
LONG, TIMED_STEPS, FIRST_STEPS = 600, 20, 5


def clock(seconds):
    """A length of time as one reads it: "0.03 s", "4.2 s", "45 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return f"{seconds:.{1 if seconds >= 0.995 else 2}f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """A line for each epoch: its number, losses and seconds, and how long the others will take.

    Parameters
    ----------
    verbose : int
        0 says nothing.

    n_epochs : int
        The last epoch there may be.
    """

    def __init__(self, verbose, n_epochs):
        self.verbose, self.n_epochs = verbose, n_epochs
        self.ends = [perf_counter()]

    def epoch(self, number, loss, validation_loss=None):
        """Say that an epoch has ended."""
        self.ends = [*self.ends[-5:], perf_counter()]
        said = [f"loss {loss:.4f}", clock(self.ends[-1] - self.ends[-2])]
        if validation_loss is not None:
            said.insert(1, f"validation loss {validation_loss:.4f}")
        if number < self.n_epochs:
            # By the last few, without the first, which has more to do.
            ends = self.ends[1:] if len(self.ends) > 2 else self.ends
            left = (ends[-1] - ends[0]) / (len(ends) - 1) * (self.n_epochs - number)
            up_to = "" if validation_loss is None else "up to "
            said.append(f"{up_to}{clock(left)} left")
        say(self.verbose, f"Epoch {number}/{self.n_epochs}: {', '.join(said)}")


class Forecast:
    """Warn once, early on, where a fit will take more than ten minutes.

    Parameters
    ----------
    n_steps : int
        Of the whole fit.

    n_epochs : int
    """

    def __init__(self, n_steps, n_epochs):
        self.n_steps, self.n_epochs, self.n_done = n_steps, n_epochs, 0

    def step(self):
        """Say that a step begins."""
        self.n_done += 1
        if self.n_done == FIRST_STEPS:
            self.start = perf_counter()
        elif self.n_done == FIRST_STEPS + TIMED_STEPS:
            seconds = (perf_counter() - self.start) / TIMED_STEPS
            if seconds * self.n_steps > LONG:
                self._warn(seconds)

    def _warn(self, seconds):
        n_epochs = int(LONG / seconds * self.n_epochs / self.n_steps)
        advice = f"type max_iter={n_epochs} to end within ten minutes"
        if not n_epochs:
            more = "type max_iter=1, or " if self.n_epochs > 1 else ""
            epoch = clock(seconds * self.n_steps / self.n_epochs)
            advice = f"an epoch alone takes {epoch}, so {more}fit on a part of the rows"
        warn(
            f"Training will take about {clock(seconds * self.n_steps)}, {self.n_steps:,} steps of "
            f"{clock(seconds)}: {advice}. verbose=1 shows how far it is.",
            EfficiencyWarning,
        )


def say(verbose, sentence):
    """Print a line at once, into a pipe too."""
    if verbose:
        print(sentence, flush=True)


@contextmanager
def stage(verbose, what):
    """Say what begins, and how long it took."""
    say(verbose, f"{what} ...")
    start = perf_counter()
    yield
    say(verbose, f"{what}: {clock(perf_counter() - start)}")
