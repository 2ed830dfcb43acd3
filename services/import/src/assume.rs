//! What a record of downtime leaves out: the time in service between outages, assumed. Pure.

use medfleet_domain::time::Span;

/// The parts of a span that no outage covers. Outages come in the order of time and do not overlap.
pub fn between(service: Span, outages: &[Span]) -> Vec<Span> {
    let inside = outages.iter().filter_map(|outage| outage.clip(service));
    let mut from = service.from;
    let mut gaps = Vec::new();
    for outage in inside.chain([Span { from: service.until, until: service.until }]) {
        gaps.extend(Span::new(from, outage.from).ok());
        from = outage.until;
    }
    gaps
}

/// A span cut at the edges of UTC days, as every stretch is.
pub fn by_day(span: Span) -> impl Iterator<Item = Span> {
    span.days().filter_map(move |day| day.span().clip(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};

    fn span(from: i64, until: i64) -> Span {
        Span { from: Timestamp(from), until: Timestamp(until) }
    }

    #[test]
    fn what_lies_between_outages_is_assumed_and_nothing_else() {
        let gaps = between(span(10, 100), &[span(0, 20), span(30, 40), span(90, 200)]);
        assert_eq!(gaps, [span(20, 30), span(40, 90)]);
        assert_eq!(between(span(10, 100), &[]), [span(10, 100)]);
        assert_eq!(between(span(10, 100), &[span(0, 200)]), []);
        assert_eq!(between(span(10, 100), &[span(0, 5), span(150, 200)]), [span(10, 100)]);
    }

    #[test]
    fn up_and_down_in_service_add_up_to_the_service() {
        let (service, outages) = (span(10, 1_000), [span(0, 20), span(33, 47), span(990, 2_000)]);
        let down: i64 = outages.iter().filter_map(|outage| outage.clip(service)).map(Span::micros).sum();
        let up: i64 = between(service, &outages).into_iter().map(Span::micros).sum();
        assert_eq!(up + down, service.micros());
    }

    #[test]
    fn a_span_is_cut_at_midnight() {
        let noon = |day: i32| Day(day).start().plus_micros(12 * MICROS_PER_HOUR);
        let cut: Vec<Span> = by_day(Span { from: noon(3), until: noon(5) }).collect();
        let edges: Vec<(i32, i64)> =
            cut.iter().map(|span| (span.from.day().0, span.micros() / MICROS_PER_HOUR)).collect();
        assert_eq!(edges, [(3, 12), (4, 24), (5, 12)]);
    }
}
