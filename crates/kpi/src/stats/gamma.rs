//! The gamma distribution and what follows from it: chi-square and normal quantiles, to about twelve digits.

/// Terms of a series or fraction; near the mean a shape of a million needs some thousands.
const TERMS_MAX: u32 = 1_000_000;
const STEPS_MAX: u32 = 200;
/// Below this, Stirling's series is reached by the recurrence of the gamma function.
const STIRLING_FROM: f64 = 15.0;

/// ln Γ(a+1) − (a ln a − a + ½ ln 2πa): what Stirling's formula leaves out. For a of at least [`STIRLING_FROM`].
fn stirling_rest(a: f64) -> f64 {
    let s = 1.0 / (a * a);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1_260.0 - s * (1.0 / 1_680.0 - s / 1_188.0)))) / a
}

/// ln Γ(a), for a > 0.
pub fn ln_gamma(a: f64) -> f64 {
    let mut shifted = a;
    let mut product = 1.0;
    while shifted < STIRLING_FROM {
        product *= shifted;
        shifted += 1.0;
    }
    let tau = std::f64::consts::TAU;
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * tau.ln() + stirling_rest(shifted) - product.ln()
}

/// x^a e^−x / Γ(a+1), without cancellation where a is large and x near it.
fn prefactor(a: f64, x: f64) -> f64 {
    if a < STIRLING_FROM {
        return (a * x.ln() - x - ln_gamma(a + 1.0)).exp();
    }
    let mu = (x - a) / a;
    let ln = if mu > -0.9 { mu.ln_1p() } else { (x / a).ln() };
    (-a * (mu - ln) - stirling_rest(a)).exp() / (std::f64::consts::TAU * a).sqrt()
}

/// Both tails of the gamma distribution of shape `a` at `x`: (P, Q), the smaller one to full precision.
pub fn tails(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x.is_infinite() {
        return (1.0, 0.0);
    }
    if x < a + 1.0 {
        let lower = prefactor(a, x) * series(a, x);
        (lower, 1.0 - lower)
    } else {
        let upper = prefactor(a, x) * a * fraction(a, x);
        (1.0 - upper, upper)
    }
}

/// 1 + x/(a+1) + x²/((a+1)(a+2)) + …
fn series(a: f64, x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, a);
    for _ in 0..TERMS_MAX {
        n += 1.0;
        term *= x / n;
        sum += term;
        if term < sum * f64::EPSILON * 0.1 {
            break;
        }
    }
    sum
}

/// The continued fraction of the upper tail, after Lentz.
fn fraction(a: f64, x: f64) -> f64 {
    let tiny = f64::MIN_POSITIVE / f64::EPSILON;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut value = d;
    for i in 1..TERMS_MAX {
        let i = f64::from(i);
        let term = -i * (i - a);
        b += 2.0;
        let of = |value: f64| if value.abs() < tiny { tiny } else { value };
        d = 1.0 / of(term * d + b);
        c = of(b + term / c);
        let step = c * d;
        value *= step;
        if (step - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// Where the lower tail of the gamma distribution of shape `a` and scale 1 is `p`.
pub fn quantile(a: f64, p: f64) -> f64 {
    if p <= 0.0 || a <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    let mut x = start(a, p);
    for _ in 0..STEPS_MAX {
        let (lower, upper) = tails(a, x);
        let too_low = if p < 0.5 { lower < p } else { upper > 1.0 - p };
        if too_low {
            low = x
        } else {
            high = x
        }
        // Newton in ln x upon the logarithm of the smaller tail: both are nearly straight there.
        let density = prefactor(a, x) * a;
        let step =
            if p < 0.5 { (p / lower).ln() * lower / density } else { (upper / (1.0 - p)).ln() * upper / density };
        let mut next = x * step.clamp(-2.0, 2.0).exp();
        let inside = next > low && next < high && next.is_finite();
        if !inside {
            next = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * x.max(f64::MIN_POSITIVE) };
        }
        if (next - x).abs() <= 4.0 * f64::EPSILON * x {
            return next;
        }
        x = next;
    }
    x
}

/// Wilson and Hilferty where the shape is not small, else the first term of the series.
fn start(a: f64, p: f64) -> f64 {
    let by_series = ((p.ln() + ln_gamma(a + 1.0)) / a).exp();
    if a < 1.0 || by_series < 0.1 * a {
        return by_series.max(f64::MIN_POSITIVE);
    }
    let z = rough_normal_quantile(p);
    let cube = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * a.sqrt());
    if cube > 0.0 { a * cube.powi(3) } else { by_series }
}

/// Good to three digits: a place to begin (Abramowitz and Stegun 26.2.23).
fn rough_normal_quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let t = (-2.0 * tail.ln()).sqrt();
    let over = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let z = t - over / under;
    if p < 0.5 { -z } else { z }
}

/// Where the lower tail of chi-square with `degrees` of freedom is `p`.
pub fn chi_square_quantile(degrees: f64, p: f64) -> f64 {
    2.0 * quantile(0.5 * degrees, p)
}

/// Where the lower tail of the standard normal distribution is `p`.
pub fn normal_quantile(p: f64) -> f64 {
    let z = (2.0 * quantile(0.5, (2.0 * p - 1.0).abs())).sqrt();
    if p < 0.5 { -z } else { z }
}
