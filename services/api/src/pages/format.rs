//! Numbers and times as people read them. What is not known is a word and never a zero. Pure.

use chrono::{DateTime, Datelike as _, Timelike as _};
use chrono_tz::Tz;
use medfleet_domain::contract::BasisPoints;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

pub const NO_DATA: &str = "No data";

/// `98.7%`, cut and not rounded: only what is whole reads 100%.
pub fn percent(ratio: f64) -> String {
    let tenths = (ratio * 1_000.0 + 1e-9).floor().clamp(0.0, 1_000.0);
    if tenths >= 1_000.0 { "100%".to_owned() } else { format!("{:.1}%", tenths / 10.0) }
}

/// `98.13%`, cut likewise: contracts are judged by hundredths.
pub fn fine_percent(ratio: f64) -> String {
    let hundredths = (ratio * 10_000.0 + 1e-7).floor().clamp(0.0, 10_000.0);
    if hundredths >= 10_000.0 { "100%".to_owned() } else { format!("{:.2}%", hundredths / 100.0) }
}

/// `97%`, `97.5%`.
pub fn basis_points(points: BasisPoints) -> String {
    let (whole, rest) = (points.0 / 100, points.0 % 100);
    match (rest, rest % 10) {
        (0, _) => format!("{whole}%"),
        (_, 0) => format!("{whole}.{}%", rest / 10),
        _ => format!("{whole}.{rest:02}%"),
    }
}

/// Text as a part of an address.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// `1 device`, `2 devices`.
pub fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(count as i64)) }
}

/// A chance in millionths: `41 %`, and with a digit below ten.
pub fn chance_percent(ppm: impl Into<i64>) -> String {
    let percent = ppm.into() as f64 / 10_000.0;
    format!("{} %", decimal(percent, usize::from(percent < 10.0)))
}

pub fn some_percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), percent)
}

/// `91.2–99.8`, without signs; one figure where both are the same.
pub fn span_of(worst: f64, best: f64) -> String {
    let strip = |ratio| percent(ratio).trim_end_matches('%').to_owned();
    let (worst, best) = (strip(worst), strip(best));
    if worst == best { worst } else { format!("{worst}–{best}") }
}

/// `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1.42`, `1,234.0`: so many digits behind the point, rounded.
pub fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
    let sign = if text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) { sign } else { "" };
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// Thousandths: `1,234.5`, without needless zeros.
pub fn thousandths(milli: i64) -> String {
    let rest = format!("{:03}", milli.unsigned_abs() % 1_000);
    let rest = rest.trim_end_matches('0');
    let whole = grouped(milli / 1_000);
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}

/// Device-hours with one decimal below a hundred: `12.3 h`, `1,234 h`.
pub fn hours(micros: i64) -> String {
    let hours = micros as f64 / 3.6e9;
    if hours.abs() < 99.95 { format!("{hours:.1} h") } else { format!("{} h", grouped(hours.round() as i64)) }
}

/// `45 s`, `12 min`, `2 h 28 min`, `3 d 4 h`.
pub fn duration(micros: i64) -> String {
    let seconds = (micros / 1_000_000).max(0);
    let two = |large: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `512 B`, `1.4 MB`, `52 GB`: thousands, as disks are sold.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

pub fn kind_title(kind: &str) -> &str {
    match DeviceKind::parse(kind) {
        Ok(known) => known.title(),
        Err(_) => kind,
    }
}

/// Makes `unscheduled_down` readable; a condition of a newer version reads as unknown.
pub fn condition_title(condition: &str) -> &'static str {
    match condition {
        "productive" => "In use",
        "standby" => "Ready",
        "engineering" => "Engineering",
        "scheduled_down" => "Planned down",
        "unscheduled_down" => "Down",
        _ => "Unknown",
    }
}

/// A clock on the wall of a site.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zone: Tz,
}

impl Clock {
    /// UTC where the zone is no zone.
    pub fn of(time_zone: &str) -> Self {
        Self { zone: time_zone.parse().unwrap_or(Tz::UTC) }
    }

    pub fn local(&self, at: Timestamp) -> DateTime<Tz> {
        DateTime::from_timestamp_micros(at.0).unwrap_or_default().with_timezone(&self.zone)
    }

    /// `16 Nov, 09:12`.
    pub fn minute(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!("{} {}, {:02}:{:02}", local.day(), month(local.month()), local.hour(), local.minute())
    }

    /// `16 Nov, 09:12:45`.
    pub fn second(&self, at: Timestamp) -> String {
        format!("{}:{:02}", self.minute(at), self.local(at).second())
    }

    /// `Mon 16 Nov`.
    pub fn day(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!("{} {} {}", local.weekday(), local.day(), month(local.month()))
    }
}

pub fn month_name(number: u32) -> &'static str {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    MONTHS.get((number as usize).wrapping_sub(1)).copied().unwrap_or_default()
}

fn month(number: u32) -> &'static str {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    MONTHS.get(number as usize - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_risks_have_a_digit_and_large_ones_none() {
        assert_eq!((chance_percent(412_000), chance_percent(9_600)), ("41 %".to_owned(), "1.0 %".to_owned()));
    }

    #[test]
    fn only_the_whole_is_a_hundred_percent() {
        assert_eq!(percent(0.99999), "99.9%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(percent(0.987), "98.7%");
        assert_eq!(span_of(0.5, 1.0), "50.0–100");
        assert_eq!(span_of(0.99, 0.99), "99.0");
        assert_eq!((fine_percent(0.98129), fine_percent(0.999_999)), ("98.12%".into(), "99.99%".into()));
        let points = [9_700, 9_750, 9_725].map(|points| basis_points(BasisPoints(points)));
        assert_eq!(points, ["97%", "97.5%", "97.25%"]);
        assert_eq!(encoded("SC 7/b"), "SC%207%2Fb");
    }

    #[test]
    fn large_numbers_are_grouped_and_small_ones_keep_their_fraction() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-999), "-999");
        assert_eq!(thousandths(1_234_500), "1,234.5");
        assert_eq!(
            (decimal(1_234.56, 1), decimal(0.4, 2), decimal(29.6, 0)),
            ("1,234.6".into(), "0.40".into(), "30".into())
        );
        assert_eq!([-0.035, -0.001, -1_234.5].map(|value| decimal(value, 2)), ["-0.04", "0.00", "-1,234.50"]);
        assert_eq!(hours(3_600_000_000 * 1_234), "1,234 h");
        assert_eq!(
            (bytes(512), bytes(1_400_000), bytes(999_999_999)),
            ("512 B".into(), "1.4 MB".into(), "1.0 GB".into())
        );
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(duration(45_000_000), "45 s");
        assert_eq!(duration(8_880_000_000), "2 h 28 min");
        assert_eq!(duration(3 * 86_400_000_000), "3 d");
    }

    #[test]
    fn a_site_reads_its_own_clock() {
        let at = crate::period::read_instant("2026-03-08T07:30:00Z").unwrap();
        assert_eq!(Clock::of("America/New_York").minute(at), "8 Mar, 03:30");
        assert_eq!(Clock::of("nowhere").day(at), "Sun 8 Mar");
    }
}
