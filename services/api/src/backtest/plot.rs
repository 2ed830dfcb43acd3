//! Plots as SVG, drawn on the server: curves in a unit square with its axes.

/// Side of the drawing, in its own units.
const SIDE: f64 = 300.0;
/// Marks on each axis.
const MARKS: usize = 4;

pub struct Curve {
    pub class: &'static str,
    pub points: Vec<(f64, f64)>,
}

pub struct Plot {
    pub curves: Vec<Drawn>,
    pub marks: Vec<Mark>,
}

/// One curve as the `points` of a polyline.
pub struct Drawn {
    pub class: &'static str,
    pub points: String,
    pub dots: Vec<(String, String)>,
}

/// A mark on both axes.
pub struct Mark {
    pub at: String,
    pub from_below: String,
    pub text: String,
}

impl Plot {
    /// Both axes from 0 to 1.
    pub fn unit(curves: Vec<Curve>) -> Self {
        Self::scaled(curves, 1.0)
    }

    /// Both axes from 0 to the greatest value drawn.
    pub fn square(curves: Vec<Curve>) -> Self {
        let values = curves.iter().flat_map(|curve| curve.points.iter().flat_map(|(x, y)| [*x, *y]));
        let greatest = values.fold(0.0, f64::max);
        Self::scaled(curves, if greatest > 0.0 { greatest } else { 1.0 })
    }

    fn scaled(curves: Vec<Curve>, top: f64) -> Self {
        let place = |value: f64| value / top * SIDE;
        let drawn = |curve: Curve| {
            let dots: Vec<(String, String)> = curve
                .points
                .iter()
                .map(|(x, y)| (format!("{:.1}", place(*x)), format!("{:.1}", SIDE - place(*y))))
                .collect();
            let points = dots.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
            Drawn { class: curve.class, points, dots }
        };
        let mark = |nth: usize| {
            let value = top * nth as f64 / MARKS as f64;
            let at = place(value);
            let text = if top >= 0.2 { format!("{:.0}", value * 100.0) } else { format!("{:.1}", value * 100.0) };
            Mark { at: format!("{at:.1}"), from_below: format!("{:.1}", SIDE - at), text }
        };
        Self { curves: curves.into_iter().map(drawn).collect(), marks: (0..=MARKS).map(mark).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_drawn_from_the_lower_left_to_the_greatest_value() {
        let plot = Plot::square(vec![Curve { class: "a", points: vec![(0.0, 0.0), (0.05, 0.1)] }]);
        assert_eq!(plot.curves[0].points, "0.0,300.0 150.0,0.0");
        assert_eq!(plot.marks.last().map(|mark| mark.text.as_str()), Some("10.0"));
        assert!(Plot::square(Vec::new()).curves.is_empty(), "nothing to draw divides by nothing");
    }
}
