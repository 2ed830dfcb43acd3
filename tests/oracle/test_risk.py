"""The figures of crates/risk against scikit-learn, on scores with ties, weights and every base rate."""

import io
import json
import pathlib
import subprocess

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def figures():
    """The example, built once. medfleet-lake beside it keeps the features of the heavy crates (decision 13)."""
    packages = ["-p", "medfleet-risk", "-p", "medfleet-lake"]
    built = ["cargo", "build", "-q", *packages, "--example", "figures", "--message-format=json"]
    told = subprocess.run(built, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    made = [json.loads(line).get("executable") for line in told.splitlines()]
    return next(path for path in made if path and path.endswith("figures"))


def product(figures, score, probability, failed, weight):
    lines = io.StringIO()
    np.savetxt(lines, np.column_stack([score, probability, failed, weight]), fmt=["%.17g", "%.17g", "%d", "%.17g"],
               delimiter=",", header="score,probability,failed,weight", comments="")
    told = subprocess.run([figures], input=lines.getvalue(), check=True, capture_output=True, text=True)
    return json.loads(told.stdout)


def rows(seed):
    chance = np.random.default_rng(seed)
    count = 3_000
    truth = 1 / (1 + np.exp(-chance.normal(-3 + seed % 4, 1.5, count)))
    failed = (chance.random(count) < truth).astype(int)
    probability = np.clip(truth * chance.uniform(0.6, 1.4, count), 1e-6, 1 - 1e-6)
    # Every second seed has scores with many ties.
    score = np.round(probability, 2) if seed % 2 else probability
    weight = chance.integers(1, 4, count).astype(float) if seed % 3 else np.ones(count)
    return score, probability, failed, weight


@pytest.mark.parametrize("seed", range(12))
def test_figures_are_those_of_scikit_learn(figures, seed):
    score, probability, failed, weight = rows(seed)
    told = product(figures, score, probability, failed, weight)
    ours = told["figures"]
    expected = {
        "roc_auc": roc_auc_score(failed, score, sample_weight=weight),
        "pr_auc": average_precision_score(failed, score, sample_weight=weight),
        "brier": brier_score_loss(failed, probability, sample_weight=weight),
        "base_rate": np.average(failed, weights=weight),
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-9), name

    logit = np.log(probability / (1 - probability)).reshape(-1, 1)
    line = LogisticRegression(C=1e12, tol=1e-10, max_iter=1_000).fit(logit, failed, sample_weight=weight)
    assert told["platt"]["slope"] == pytest.approx(line.coef_[0, 0], abs=1e-4)
    assert told["platt"]["intercept"] == pytest.approx(line.intercept_[0], abs=1e-4)
    assert ours["slope"] == told["platt"]["slope"]

    curve = IsotonicRegression(out_of_bounds="clip").fit(score, failed, sample_weight=weight)
    np.testing.assert_allclose(told["isotonic"], curve.predict(score), atol=1e-9)


def test_a_wrong_figure_is_found(figures):
    """Scores turned around: the oracle would not notice a product that ranks by rising score, if this passed."""
    score, probability, failed, weight = rows(0)
    ours = product(figures, -score, probability, failed, weight)["figures"]
    assert abs(ours["roc_auc"] - roc_auc_score(failed, score, sample_weight=weight)) > 0.1
