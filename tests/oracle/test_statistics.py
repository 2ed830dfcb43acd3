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


def test_limits_of_counts_that_come_in_clusters():
    chance = random.Random(6)
    asked = [(chance.choice([0, 1, 3.5, 20, 400]) * chance.uniform(0.5, 1.5), 10 ** chance.uniform(0, 1.5), c) for c in (0.9, 0.95, 0.998) for _ in range(60)]
    assert sum(dispersion > 1.5 for _, dispersion, _ in asked) > 100
    for (n, phi, confidence), (low, high) in zip(asked, ask([f"limits {n!r} {phi!r} {confidence!r}" for n, phi, confidence in asked])):
        tail = (1 - confidence) / 2
        assert near(high, phi / 2 * stats.chi2.ppf(1 - tail, 2 * n / phi + 2)), (n, phi, confidence)
        assert n == 0 and low == 0 or near(low, phi / 2 * stats.chi2.ppf(tail, 2 * n / phi)), (n, phi, confidence)


def test_funnel_limits_of_a_site_like_the_fleet_with_dispersion():
    chance = random.Random(7)
    asked = [(10 ** chance.uniform(-0.5, 3.5), phi, confidence) for phi in (1.0, 1.7, 4.0, 25.0) for confidence in (0.95, 0.998) for _ in range(40)]
    for (expected, phi, confidence), (low, high) in zip(asked, ask([f"funnel {e!r} {phi!r} {c!r}" for e, phi, c in asked])):
        # Mean 1, variance dispersion ÷ expected.
        like = stats.gamma(expected / phi, scale=phi / expected)
        assert abs(like.mean() - 1) < 1e-12 and near(like.var(), phi / expected)
        tail = (1 - confidence) / 2
        # Poisson's chance of none, dispersion allowed for: where it is no rarity, none lies within the limits.
        if stats.poisson(expected / phi).pmf(0) >= tail:
            assert low == 0, (expected, phi, confidence, low)
            low = like.ppf(tail)
        for found, p in ((low, tail), (high, 1 - tail)):
            # A limit so near to nothing is compared by what lies below it.
            assert near(found, like.ppf(p), 1e-8) or abs(like.cdf(found) - p) < 1e-12, (expected, phi, confidence, found, like.ppf(p))


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


def test_median_ninetieth_and_mean_with_what_is_still_open():
    chance = random.Random(8)
    cases = [[(chance.randint(1, 60), chance.random() < share) for _ in range(chance.randint(1, 70))] for share in (0.3, 0.7, 1.0) for _ in range(60)]
    asked = ["summary " + " ".join(f"{d}:{int(ended)}" for d, ended in case) for case in cases]
    reached = 0
    for case, (count, opened, median, p90, mean) in zip(cases, ask(asked)):
        ended, still = [d for d, e in case if e], [d for d, e in case if not e]
        assert (count, opened) == (len(case), len(still))
        longest = max(d for d, _ in case)
        curve = stats.ecdf(stats.CensoredData(uncensored=ended, right=still)).sf if ended else None
        for found, left in ((median, 0.5), (p90, 0.1)):
            at = [q for q, p in zip(curve.quantiles, curve.probabilities) if p <= left + 1e-12] if ended else []
            assert found == at[0] if at else found != found, (case, left)
            reached += bool(at)
        # The area under the curve, second by second.
        area = sum(float(curve.evaluate(t)) if ended else 1.0 for t in range(longest))
        assert near(mean, area, 1e-9), case
        if not still:
            assert near(mean, numpy.mean(ended)) and median == sorted(ended)[(len(ended) - 1) // 2]
    assert reached > 100


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


def drawn_to_the_fleet(value: float, low: float, high: float, fleet: tuple[float, float]) -> list[float]:
    """Nothing is known better than the fleet it is compared with."""
    return [value, min(low, value * fleet[0]), max(high, value * fleet[1])]


def test_counts_of_a_site_drawn_to_the_fleet():
    chance = random.Random(9)
    asked = []
    for _ in range(200):
        fleet = chance.uniform(0.7, 0.99), chance.uniform(1.01, 1.4)
        asked.append((float(chance.randint(0, 60)), chance.uniform(0.1, 50), chance.choice([0.4, 3.0, 40.0, float("inf")]), *fleet))
    wider = 0
    for (o, e, a, *fleet), found in zip(asked, ask([f"count {o!r} {e!r} {a!r} {low!r} {high!r}" for o, e, a, low, high in asked])):
        if a == float("inf"):
            assert found == [1.0, *fleet], "the fleet with its own limits, and not no width"
            continue
        posterior = stats.gamma(a + o, scale=1 / (a + e))
        wanted = drawn_to_the_fleet(posterior.mean(), posterior.ppf(0.025), posterior.ppf(0.975), fleet)
        wider += wanted[1] != posterior.ppf(0.025)
        assert all(near(one, other, 1e-8) for one, other in zip(found, wanted)), (o, e, a, found, wanted)
    assert 0 < wider < 150


def paule_mandel(y: numpy.ndarray, v: numpy.ndarray) -> float:
    def excess(spread: float) -> float:
        return (y**2 / (v + spread)).sum() - (len(y) - 1)

    return 0.0 if len(y) < 2 or excess(0) <= 0 else optimize.brentq(excess, 0, (y**2).sum(), xtol=1e-15, rtol=1e-14)


def test_the_spread_of_logarithms_and_what_is_drawn_by_it():
    chance = numpy.random.default_rng(10)
    cases = []
    for _ in range(120):
        sites, spread = int(chance.integers(2, 30)), chance.choice([0.0, 0.02, 0.3, 2.0])
        v = chance.uniform(0.005, 0.8, sites)
        cases.append((chance.normal(0, numpy.sqrt(v + spread)), v))
    told = ["spread " + " ".join(f"{float(y)!r}:{float(v)!r}" for y, v in zip(*case)) for case in cases]
    found = [spread for (spread,) in ask(told)]
    assert all(near(one, paule_mandel(*case), 1e-8) for one, case in zip(found, cases))
    assert sum(spread == 0 for spread in found) > 10 and sum(spread > 0 for spread in found) > 60
    fleet = (0.93, 1.08)
    asked = [f"hours {float(y[0])!r} {float(v[0])!r} {spread!r} {fleet[0]} {fleet[1]}" for (y, v), spread in zip(cases, found)]
    for (y, v), spread, drawn in zip(cases, found, ask(asked)):
        if spread == 0:
            assert drawn == [1.0, *fleet]
            continue
        # A normal log known with variance v, a priori around 0 with the spread: precisions add up.
        posterior = stats.norm(y[0] / v[0] / (1 / v[0] + 1 / spread), (1 / v[0] + 1 / spread) ** -0.5)
        wanted = drawn_to_the_fleet(*numpy.exp([posterior.mean(), posterior.ppf(0.025), posterior.ppf(0.975)]), fleet)
        assert all(near(one, other, 1e-8) for one, other in zip(drawn, wanted)), (y[0], v[0], spread, drawn, wanted)


def sites_of(fleet: list[tuple[str, float, float]]) -> dict[str, numpy.ndarray]:
    """Years and what happened, of the devices of each site."""
    return {site: numpy.array([(years, what) for name, years, what in fleet if name == site]) for site in sorted({one[0] for one in fleet})}


def a_fleet(chance: numpy.random.Generator, levels: list[float], hours: bool) -> list[tuple[str, float, float]]:
    """Sites of several sizes. Few devices have most of the hours; failures repeat on the same device."""
    fleet = []
    for nth, level in enumerate(levels):
        for _ in range([4, 15, 60, 200][nth % 4]):
            years, heavy = chance.uniform(0.5, 1), chance.gamma(0.7, 1 / 0.7)
            what = chance.gamma(1.5, 20 * level * years) if hours else float(chance.poisson(3 * level * years * heavy))
            fleet.append((f"s{nth:02}", years, what))
    return fleet


def asked_of(fleet: list[tuple[str, float, float]]) -> str:
    return " ".join(f"{site}:{float(years)!r}:{float(what)!r}" for site, years, what in fleet)


def test_failures_compared_from_devices_to_limits():
    chance = numpy.random.default_rng(11)
    fleets = [a_fleet(chance, list(chance.gamma(6, 1 / 6, 12)) if differ else [1.0] * 12, hours=False) for differ in (True, False) for _ in range(8)]
    dispersed = 0
    for fleet, (shape, dispersion, *rest) in zip(fleets, ask(["failures " + asked_of(fleet) for fleet in fleets])):
        sites = sites_of(fleet)
        whole = numpy.array([(years, what) for _, years, what in fleet])
        rate = whole[:, 1].sum() / whole[:, 0].sum()
        squares = sum(((d[:, 1] - d[:, 0] * d[:, 1].sum() / d[:, 0].sum()) ** 2).sum() for d in sites.values())
        phi = max(1.0, squares / whole[:, 1].sum())
        assert near(dispersion, phi)
        dispersed += phi > 1.5
        n = whole[:, 1].sum()
        own = [phi / 2 * stats.chi2.ppf(p, 2 * n / phi + more) / n for p, more in ((0.025, 0), (0.975, 2))]
        for d, found in zip(sites.values(), numpy.reshape(rest, (-1, 10))):
            o, e = d[:, 1].sum(), rate * d[:, 0].sum()
            wanted = [o / e, phi / 2 * stats.chi2.ppf(0.025, 2 * o / phi) / e if o else 0.0, phi / 2 * stats.chi2.ppf(0.975, 2 * o / phi + 2) / e]
            like = stats.gamma(e / phi, scale=phi / e)
            # Where none is no rarity, none lies within the lower limit.
            none = stats.poisson(e / phi).pmf(0)
            wanted += [0.0 if p < 0.5 and none >= p else like.ppf(p) for p in (0.025, 0.975, 0.001, 0.999)]
            posterior = stats.gamma(shape + o / phi, scale=1 / (shape + e / phi))
            wanted += [1.0, *own] if shape == float("inf") else drawn_to_the_fleet(posterior.mean(), posterior.ppf(0.025), posterior.ppf(0.975), own)
            assert all(abs(one - other) <= 1e-7 * abs(other) + 1e-12 for one, other in zip(found, wanted, strict=True)), (found, wanted)
    assert dispersed >= 12, "failures repeat on the same device"


def resampled(chance: numpy.random.Generator, devices: numpy.ndarray, count: int, added: float) -> tuple[numpy.ndarray, float]:
    """Ratios of so many devices drawn with replacement, and the variance of their logarithm."""
    drawn = devices[chance.integers(0, len(devices), (8_000, count))].sum(axis=1)
    return drawn[:, 1] / drawn[:, 0], numpy.log((drawn[:, 1] + added) / (drawn[:, 0] + added)).var(ddof=1)


@pytest.mark.parametrize("differ", [True, False])
def test_hours_down_compared_by_resampling_of_our_own(differ: bool):
    """Limits by another generator and four times as many draws: equal as far as resampling goes."""
    chance = numpy.random.default_rng(12)
    levels = [0.5, 0.6, 0.8, 1.0, 1.3, 1.0, 1.7, 1.2] if differ else [1.0] * 8
    fleet = a_fleet(chance, levels, hours=True)
    ((shape, _, *rest),) = ask([f"downtime 77 {asked_of(fleet)}"])
    whole = numpy.array([(years, what) for _, years, what in fleet])
    rate = whole[:, 1].sum() / whole[:, 0].sum()
    whole[:, 0] *= rate
    added = 0.5 * whole[:, 1].mean()
    found, logs, limits = numpy.reshape(rest, (-1, 10)), [], []
    for d in sites_of(fleet).values():
        d[:, 0] *= rate
        (own, variance), (like, of_fleet) = (resampled(chance, of, len(d), added) for of in (d, whole))
        over, under = d[:, 1].sum(), d[:, 0].sum()
        logs.append((numpy.log((over + added) / (under + added)), max(variance, of_fleet)))
        limits.append([over / under, *numpy.quantile(own, [0.025, 0.975]), *numpy.quantile(like, [0.025, 0.975])])
    deviation = (((whole[:, 1] - whole[:, 0]) ** 2).sum() * len(whole) / (len(whole) - 1)) ** 0.5 / whole[:, 1].sum()
    fleet_limits = tuple(numpy.exp(stats.norm.ppf([0.025, 0.975]) * deviation))
    for line, wanted in zip(found, limits, strict=True):
        # A resampled limit is known to a tenth of the width of its interval, and some.
        assert near(line[0], wanted[0]) and all(abs(line[1 + n] - wanted[1 + n]) < 0.03 + 0.1 * (wanted[2 + n // 2 * 2] - wanted[1 + n // 2 * 2]) for n in range(4)), (line, wanted)
    y, v = numpy.array(logs).T
    spread = paule_mandel(y, v)
    assert (spread > 0) == differ
    if not differ:
        assert shape == float("inf") and numpy.allclose(found[:, 7:], [1.0, *fleet_limits], rtol=1e-9)
        return
    assert near(1 / shape, spread, 0.15), (1 / shape, spread)
    for line, y, v in zip(found, y, v):
        mean, deviation = y * spread / (spread + v), (spread * v / (spread + v)) ** 0.5
        wanted = drawn_to_the_fleet(*numpy.exp([mean, mean - 1.96 * deviation, mean + 1.96 * deviation]), fleet_limits)
        assert numpy.allclose(line[7:], wanted, rtol=0.04), (line[7:], wanted)
    # Four devices are drawn far towards the fleet, two hundred hardly.
    away = [abs(numpy.log(line[7])) / abs(numpy.log(line[0])) for line in found]
    assert max(away[0], away[4]) < 0.8 and away[7] > 0.8, away
