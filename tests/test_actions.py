"""Prediction of what comes next from what is now and from what is done (TACO)."""

from math import exp, log

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

import skcontrast
from skcontrast import SeriesContrastiveEncoder
from skcontrast._training.fitted import encoder_of
from skcontrast.networks import LightConv
from skcontrast.objectives import FuturePrediction, InfoNCE

RNG = np.random.default_rng(0)
X, ACTIONS = RNG.normal(size=(12, 3, 9)), RNG.normal(size=(12, 2, 9))


def encoder(n_steps=2, context="condition", **params):
    network = LightConv(hidden=16, n_blocks=1, kernel_size=1, n_groups=4)
    settings = {"network": network, "views": None, "n_views": 1, "max_iter": 2, "random_state": 0}
    objective = FuturePrediction(n_steps, context)
    return SeriesContrastiveEncoder(4, **{**settings, "objective": objective, **params})


def loss(z, actions, times, n_steps=2, seed=0, **named):
    """The objective with random maps, and these."""
    built = FuturePrediction(n_steps, "condition").build(len(actions)).double()
    built.prepare({"condition": actions}, {}, z.shape[-1])
    generator = torch.Generator().manual_seed(seed)
    for parameter in built.double().parameters():
        parameter.data.normal_(generator=generator)
    return built(z.amax(2), steps=z, times=times, condition=actions, **named).detach(), built.head


def test_it_is_the_loop():
    n, length, d = 4, 5, 3
    z, actions = torch.randn(2, n, length, d).double(), torch.randn(n, 2, length).double()
    actions[1, 0, 2] = torch.nan  # what leads to the first step ahead is known, and no more
    times = [0, 1, 3, 2]
    found, head = loss(z, actions, torch.tensor(times))
    unit = (z / z.norm(dim=-1, keepdim=True)).numpy()
    weight, bias = (p.detach().numpy() for p in (head.weight, head.bias))
    assert weight.shape == (2, d, d + 2 * 2)
    for v in range(2):
        for i, t in enumerate(times):
            terms = []
            for k in (1, 2):
                guesses = {}
                for j, s in enumerate(times):
                    done = np.zeros(4)
                    for m in range(k):
                        known = actions[j, :, min(s + m, length - 1)].numpy()
                        done[2 * m : 2 * m + 2] = np.nan_to_num(known)
                    context = np.concatenate([unit[1 - v, j, s], done])
                    guesses[j] = weight[k - 1] @ context + bias[k - 1]
                if t + k < length and not (i == 1 and k == 2):
                    ahead = unit[v, i, t + k]
                    scores = {j: ahead @ guess for j, guess in guesses.items()}
                    terms.append(log(sum(map(exp, scores.values()))) - scores[i])
            np.testing.assert_allclose(found.view(2, n)[v, i], np.mean(terms), rtol=1e-10)


def test_actions_behind_the_step_ahead_take_no_part():
    z, actions = torch.randn(1, 5, 6, 3).double(), torch.randn(5, 2, 6).double()
    times = torch.ones(5, dtype=torch.long)
    plain, _ = loss(z, actions, times)
    for first, same in ((3, True), (2, False)):
        changed = actions.clone()
        changed[:, :, first:] += 1
        assert torch.equal(loss(z, changed, times)[0], plain) == same


def test_actions_are_given_as_series_are(tmp_path):
    model = encoder().fit(X, condition=ACTIONS)
    assert model.objective_weights_["head.weight"].shape == (2, 4, 4 + 2 * 2)
    one = encoder().fit(X, condition=ACTIONS[:, :1])
    assert np.array_equal(encoder().fit(X, condition=ACTIONS[:, 0]).transform(X), one.transform(X))
    lengths = 5 + np.arange(12) % 5
    cut = [[a[:, :end] for a, end in zip(array, lengths)] for array in (X, ACTIONS)]
    Z = encoder().fit(cut[0], condition=cut[1]).transform(X)
    padded = np.where(np.arange(9) < lengths[:, None, None], ACTIONS, np.nan)
    assert np.array_equal(encoder().fit(cut[0], condition=padded).transform(X), Z)
    skcontrast.save(model, tmp_path / "model")
    assert np.array_equal(skcontrast.load(tmp_path / "model").transform(X), model.transform(X))
    both = InfoNCE() + 0.5 * FuturePrediction(2, "condition")
    model = encoder(objective=both, views="jitter", n_views=2).fit(X, condition=ACTIONS)
    assert np.isfinite(model.partial_fit(X, condition=ACTIONS).loss_curve_).all()


@pytest.mark.parametrize(
    "given, match",
    [
        (None, "FuturePrediction needs 'condition': pass fit"),
        (ACTIONS[:, :, :5], "actions of 5 steps, but series have 9: pass an array of shape"),
        (ACTIONS[:5], "condition has 5 rows, but X has 12"),
        (np.zeros(12), "condition must hold numbers for each step of each series"),
        (np.full((12, 9), "left"), "condition must hold numbers for each step of each series"),
    ],
)
def test_what_are_no_actions_is_refused(given, match):
    with pytest.raises(ValueError, match=match):
        encoder().fit(X, condition=given)


def test_a_recording_has_to_be_cut_into_episodes():
    with pytest.raises(ValueError, match="rows of a recording are steps: cut it into episodes"):
        encoder(window=4).fit(X[0].T, condition=ACTIONS[0].T)


def test_what_actions_move_is_found_with_them_alone():
    """A state that actions push, beside one that drifts by itself, and noise."""
    turn = 0.5 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    mix = RNG.normal(size=(6, 8))

    def episodes(n, length=12):
        actions, noise = RNG.normal(size=(2, n, length, 2))
        state, drift = RNG.normal(size=(2, n, length, 2))
        for t in range(1, length):
            state[:, t] = state[:, t - 1] @ turn.T + actions[:, t - 1] + 0.05 * state[:, t]
            drift[:, t] = 0.9 * drift[:, t - 1] + 0.44 * drift[:, t]
        seen = np.concatenate([state, drift, noise], axis=2) @ mix
        return seen.swapaxes(1, 2), actions.swapaxes(1, 2), state.reshape(-1, 2)

    (train, actions, state), (test, _, state_of_test) = episodes(300), episodes(100)

    def recovered(context, **given):
        settings = {"batch_size": 50, "learning_rate": 0.02, "max_iter": 60}
        model = encoder(3, context, **settings).fit(train, **given)
        steps = []
        for rows in (train, test):
            batch = model.input_.batch(model.input_.read(rows), torch.float32, "cpu")
            with torch.no_grad():
                steps.append(encoder_of(model).steps(batch).flatten(0, 1).numpy())
        return LinearRegression().fit(steps[0], state).score(steps[1], state_of_test)

    assert recovered("condition", condition=actions) > 0.85
    assert recovered("last") < 0.5
    assert recovered("condition", condition=RNG.permutation(actions)) < 0.5
