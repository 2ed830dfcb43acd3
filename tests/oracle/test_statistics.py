"""The house's own statistics against scipy's, on hundreds of random inputs."""

import os
import random
import subprocess
from pathlib import Path

import numpy
import pytest
from scipy import optimize, special, stats

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
RELATIVE = 1e-9


def ask(questions: list[str]) -> list[list[float]]:
    program = TARGET / "debug/examples/statistics"
    if not program.exists():
        pytest.fail(f"{program.name} is not built: run `cargo build -p medfleet-kpi --examples`")
    asked = "\n".join(questions) + "\n"
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    answers = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def near(found: float, expected: float, relative: float = RELATIVE) -> bool:
    return found == expected or abs(found - expected) <= relative * abs(expected)


def test_chi_square_quantiles():
    chance = random.Random(1)
    asked = [(10 ** chance.uniform(-0.3, 5), chance.random()) for _ in range(300)]
    asked += [(df, p) for df in (1, 2, 3, 8, 20, 2_000, 200_000) for p in (1e-12, 1e-6, 0.025, 0.5, 0.975, 1 - 1e-6, 1 - 1e-9)]
    for (df, p), (found,) in zip(asked, ask([f"chi2 {df!r} {p!r}" for df, p in asked])):
        assert near(found, stats.chi2.ppf(p, df)), (df, p, found, stats.chi2.ppf(p, df))


def test_normal_quantiles():
    asked = [p for p in numpy.linspace(1e-6, 1 - 1e-6, 300) if p != 0.5]
    for p, (found,) in zip(asked, ask([f"normal {p!r}" for p in map(float, asked)])):
        assert near(found, stats.norm.ppf(p), 1e-8) or abs(found - stats.norm.ppf(p)) < 1e-9, (p, found)


def test_both_tails_of_the_gamma_distribution():
    chance = random.Random(2)
    asked = []
    for _ in range(400):
        shape = 10 ** chance.uniform(-1, 5)
        asked.append((shape, max(1e-9, shape + chance.gauss(0, 4) * shape**0.5)))
    for (shape, x), (lower, upper) in zip(asked, ask([f"tails {a!r} {x!r}" for a, x in asked])):
        expected = special.gammainc(shape, x), special.gammaincc(shape, x)
        smaller = 0 if expected[0] < expected[1] else 1
        assert near((lower, upper)[smaller], expected[smaller], 1e-8), (shape, x, lower, upper, expected)


def test_exact_poisson_limits():
    counts = list(range(0, 60)) + [10**k for k in range(2, 6)]
    for n, (low, high, upper) in zip(counts, ask([f"rate {n}" for n in counts])):
        exact = stats._discrete_distns.poisson  # noqa: SLF001: the distribution itself, not its quantile
        assert near(high, stats.chi2.ppf(0.975, 2 * n + 2) / 2) and near(upper, stats.chi2.ppf(0.95, 2 * n + 2) / 2)
        assert n == 0 and low == 0 or near(low, stats.chi2.ppf(0.025, 2 * n) / 2)
        # What the limits mean: so many or fewer are seen with 2.5 % at the upper one.
        assert abs(exact.cdf(n, high) - 0.025) < 1e-9
        assert n == 0 or abs(exact.sf(n - 1, low) - 0.025) < 1e-9


def test_laplace_and_power_law():
    chance = random.Random(3)
    cases = []
    for _ in range(200):
        total, power = chance.uniform(1, 1e4), chance.choice([0.4, 1.0, 2.5])
        cases.append((total, sorted(total * chance.random() ** (1 / power) for _ in range(chance.randint(1, 60)))))
    for (total, times), (u, beta) in zip(cases, ask([f"laplace {t!r} " + " ".join(map(repr, ts)) for t, ts in cases])):
        # As a standardised sum of uniform times.
        expected = (sum(times) - len(times) * total / 2) / (total * (len(times) / 12) ** 0.5)
        assert near(u, expected, 1e-8) or abs(u - expected) < 1e-9
        assert (beta == beta) == (abs(u) > 1.96)
        if beta == beta:
            assert near(beta, len(times) / sum(numpy.log(total / numpy.array(times))))


def test_survival_against_scipy_s_ecdf():
    chance = random.Random(4)
    cases = [[(chance.randint(1, 40), chance.random() < 0.7) for _ in range(chance.randint(1, 80))] for _ in range(150)]
    asked = ["survival " + " ".join(f"{d}:{int(ended)}" for d, ended in case) for case in cases]
    for case, found in zip(cases, ask(asked)):
        ended, opened = [d for d, e in case if e], [d for d, e in case if not e]
        if not ended:
            assert found == []
            continue
        curve = stats.ecdf(stats.CensoredData(uncensored=ended, right=opened)).sf
        expected = [(q, p) for q, p in zip(curve.quantiles, curve.probabilities) if q in set(ended)]
        assert found[0::2] == [q for q, _ in expected]
        assert all(abs(a - p) < 1e-12 for a, (_, p) in zip(found[1::2], expected))


def test_the_spread_of_sites_is_that_of_greatest_likelihood():
    chance = numpy.random.default_rng(5)
    cases = []
    for _ in range(60):
        shape, sites = chance.uniform(1, 12), int(chance.integers(6, 40))
        expected = chance.uniform(2, 60, sites)
        cases.append(list(zip(chance.poisson(chance.gamma(shape, 1 / shape, sites) * expected), expected)))
    for case, (found,) in zip(cases, ask(["shape " + " ".join(f"{o}:{float(e)!r}" for o, e in case) for case in cases])):
        o, e = numpy.array(case).T

        def unlikely(log: float) -> float:
            return -stats.nbinom.logpmf(o, numpy.exp(log), 1 / (1 + e / numpy.exp(log))).sum()

        best = optimize.minimize_scalar(unlikely, bounds=(-4, 12), method="bounded", options={"xatol": 1e-10})
        if found == float("inf"):
            assert best.x > 9 or unlikely(12) <= best.fun + 1e-6
        else:
            assert unlikely(numpy.log(found)) <= best.fun + 1e-7
