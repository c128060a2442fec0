//! Turns series of numbers into the shapes of an SVG chart. The markup is in
//! `templates/chart.html`.
//!
//! All coordinates are those of the view box, rounded to a tenth so that files stay small.
//! Absent on purpose: scripts. Invisible stripes with `<title>` elements show the values under the
//! pointer.

/// The width of the view box.
pub(crate) const WIDTH: f64 = 560.0;
/// The height of the view box.
pub(crate) const HEIGHT: f64 = 220.0;

const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 38.0;

/// The scale of the y axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Counts or rates, on a linear axis from 0.
    Count,
    /// Microseconds, on a logarithmic axis.
    Time,
}

/// The way in which a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A solid line through the points.
    Line,
    /// A dashed line through the points.
    Dashed,
    /// An area down to the x axis. Stacked areas cover each other.
    Area,
}

/// One series of points (x, y). `None` as y means that nothing was measured there.
#[derive(Debug, Clone)]
pub(crate) struct ChartSeries {
    /// The name of the series in the legend.
    pub(crate) name: &'static str,
    /// The number of its colour in the style sheet, 0 to 5.
    pub(crate) colour: u8,
    pub(crate) style: Style,
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

impl ChartSeries {
    /// Drops all points beyond `max` on the x axis.
    pub(crate) fn until(mut self, max: f64) -> Self {
        self.points.retain(|(at, _)| *at <= max);
        self
    }
}

/// A mark on an axis, with its coordinate and its label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: String,
    pub(crate) label: String,
}

/// A drawn series, ready for the template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartPath {
    pub(crate) name: &'static str,
    pub(crate) colour: u8,
    /// The class in the style sheet: `line`, `dashed` or `area`.
    pub(crate) class: &'static str,
    pub(crate) path: String,
}

/// An invisible stripe of a chart that shows the values at its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stripe {
    pub(crate) left: String,
    pub(crate) width: String,
    pub(crate) text: String,
}

/// A chart, ready for the template.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// The chart in one sentence, for readers who do not see it.
    pub(crate) description: String,
    pub(crate) x_label: &'static str,
    pub(crate) x_ticks: Vec<Tick>,
    pub(crate) y_ticks: Vec<Tick>,
    pub(crate) shapes: Vec<ChartPath>,
    pub(crate) stripes: Vec<Stripe>,
    /// The left edge and the width of the warm-up; `None` if there was none.
    pub(crate) warm_up: Option<(String, String)>,
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) top: String,
    pub(crate) bottom: String,
}

/// The x axis, which begins at 0.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) max: f64,
    /// The marks, if they are not at round numbers.
    pub(crate) ticks: Option<Vec<(f64, String)>>,
}

/// Draws a chart. Returns `None` if there is nothing to draw.
pub(crate) fn draw(
    title: &'static str,
    axis: &Axis,
    scale: Scale,
    series: &[ChartSeries],
    warm_up: f64,
) -> Option<Chart> {
    let values = || {
        series.iter().flat_map(|one| one.points.iter().filter_map(|(_, y)| *y)).filter(|y| *y > 0.0)
    };
    let highest = values().fold(0.0, f64::max);
    if highest <= 0.0 || axis.max <= 0.0 {
        return None;
    }
    // Scales: from values to coordinates.
    let y = Vertical::new(scale, values().fold(f64::MAX, f64::min), highest);
    let x = |value: f64| LEFT + value / axis.max * (WIDTH - LEFT - RIGHT);
    let x_ticks = match &axis.ticks {
        Some(ticks) => ticks
            .iter()
            .map(|(at, label)| Tick { at: coordinate(x(*at)), label: label.clone() })
            .collect(),
        None => round_steps(axis.max, 8)
            .into_iter()
            .map(|at| Tick { at: coordinate(x(at)), label: short(at) })
            .collect(),
    };
    // Shapes: series without a value are left out.
    let shapes =
        series.iter().filter(|one| one.points.iter().any(|(_, y)| y.is_some())).map(|one| {
            ChartPath {
                name: one.name,
                colour: one.colour,
                class: match one.style {
                    Style::Line => "line",
                    Style::Dashed => "dashed",
                    Style::Area => "area",
                },
                path: path(one, x, &y),
            }
        });
    let (from, to) = (y.show(values().fold(f64::MAX, f64::min)), y.show(highest));
    let names: Vec<_> = series.iter().map(|one| one.name).collect();
    Some(Chart {
        title,
        description: format!("{title}: {} between {from} and {to}.", names.join(", ")),
        x_label: axis.label,
        x_ticks,
        y_ticks: y.ticks(),
        shapes: shapes.collect(),
        stripes: stripes(axis, series, x, &y),
        warm_up: (warm_up > 0.0)
            .then(|| (coordinate(LEFT), coordinate(x(warm_up.min(axis.max)) - LEFT))),
        left: coordinate(LEFT),
        right: coordinate(WIDTH - RIGHT),
        top: coordinate(TOP),
        bottom: coordinate(HEIGHT - BOTTOM),
    })
}

/// The most stripes of a chart, so that files stay small.
const STRIPES_MAX: usize = 80;

/// Returns the stripes of a chart, each with the values of all series at its place.
fn stripes(
    axis: &Axis,
    series: &[ChartSeries],
    x: impl Fn(f64) -> f64,
    y: &Vertical,
) -> Vec<Stripe> {
    let points = series.iter().map(|one| one.points.len()).max().unwrap_or(0);
    let count = points.clamp(1, STRIPES_MAX);
    let width = axis.max / count as f64;
    let stripe = |nth: usize| {
        let (from, to) = (nth as f64 * width, (nth + 1) as f64 * width);
        let values = series.iter().enumerate().filter_map(|(layer, one)| {
            let mut inside = one.points.iter().enumerate();
            let (place, value) = inside.find_map(|(place, (at, value))| {
                Some((place, (*value)?)).filter(|_| (from..to).contains(at))
            })?;
            // An area lies on top of the next one.
            let below = series.get(layer + 1).filter(|_| one.style == Style::Area);
            let below = below.and_then(|below| below.points.get(place)?.1).unwrap_or(0.0);
            Some(format!("{}: {}", one.name, y.show(value - below)))
        });
        let values: Vec<String> = values.collect();
        let at = match &axis.ticks {
            None => format!("{} to {} {}\n", brief(from), brief(to), axis.label),
            Some(_) => String::new(),
        };
        (!values.is_empty()).then(|| Stripe {
            left: coordinate(x(from)),
            width: coordinate(x(to) - x(from)),
            text: format!("{at}{}", values.join("\n")),
        })
    };
    (0..count).filter_map(stripe).collect()
}

/// Formats a place on the x axis, with a digit after the point if it is small.
fn brief(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Stacks series: each becomes the sum of itself and of those before it.
pub(crate) fn stack(series: &mut [ChartSeries]) {
    for at in 1..series.len() {
        let (below, rest) = series.split_at_mut(at);
        let below = &below[at - 1].points;
        for ((_, y), (_, under)) in rest[0].points.iter_mut().zip(below) {
            *y = match (*y, *under) {
                (None, under) => under,
                (Some(y), under) => Some(y + under.unwrap_or(0.0)),
            };
        }
    }
    // The highest area is drawn first, so that the lower ones lie on top of it.
    series.reverse();
}

/// The y axis: its scale and its range.
struct Vertical {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Vertical {
    fn new(scale: Scale, lowest: f64, highest: f64) -> Self {
        match scale {
            Scale::Count => Self { scale, low: 0.0, high: highest * 1.05 },
            Scale::Time => {
                let low = 10_f64.powf(lowest.max(1.0).log10().floor());
                let high = 10_f64.powf((highest.max(lowest * 1.01)).log10().ceil());
                Self { scale, low, high: high.max(low * 10.0) }
            }
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Count => (value - self.low) / (self.high - self.low),
            Scale::Time => {
                (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
            }
        };
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn show(&self, value: f64) -> String {
        match self.scale {
            Scale::Count => short(value),
            Scale::Time => brief_time(value),
        }
    }

    fn ticks(&self) -> Vec<Tick> {
        let at: Vec<f64> = match self.scale {
            Scale::Count => round_steps(self.high, 5),
            Scale::Time => {
                let decades = (self.high / self.low).log10().round() as i32;
                let between: &[f64] = if decades <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let powers = (0..=decades).map(|n| self.low * 10_f64.powi(n));
                let marks = powers.flat_map(|power| between.iter().map(move |n| n * power));
                marks.filter(|mark| *mark <= self.high * 1.0001).collect()
            }
        };
        at.into_iter()
            .map(|value| Tick { at: coordinate(self.at(value)), label: self.show(value) })
            .collect()
    }
}

fn path(series: &ChartSeries, x: impl Fn(f64) -> f64, y: &Vertical) -> String {
    let mut path = String::new();
    let mut run: Vec<(f64, f64)> = Vec::new();
    let area = series.style == Style::Area;
    let mut close = |run: &mut Vec<(f64, f64)>| {
        let Some(((first, _), (last, _))) = run.first().copied().zip(run.last().copied()) else {
            return;
        };
        for (at, (x, y)) in run.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{command}{} {}", coordinate(*x), coordinate(*y)));
        }
        if area {
            let bottom = coordinate(HEIGHT - BOTTOM);
            path.push_str(&format!(
                "L{} {bottom}L{} {bottom}Z",
                coordinate(last),
                coordinate(first)
            ));
        } else if run.len() == 1 {
            path.push_str("h0.1"); // a single point still shows, as a dot
        }
        run.clear();
    };
    for (at, value) in &series.points {
        match value {
            Some(value) => run.push((x(*at), y.at(*value))),
            None => close(&mut run),
        }
    }
    close(&mut run);
    path
}

/// Returns round values from 0 to `max`, about `count` of them.
fn round_steps(max: f64, count: usize) -> Vec<f64> {
    let raw = max / count as f64;
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * magnitude)
        .find(|step| *step >= raw)
        .unwrap_or(raw);
    (0..).map(|n| f64::from(n) * step).take_while(|at| *at <= max * 1.0001).collect()
}

fn coordinate(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// Formats a count in few characters, such as `12k` or `1.5M`.
fn short(value: f64) -> String {
    let trim = |text: String| text.strip_suffix(".0").map(str::to_owned).unwrap_or(text);
    match value {
        v if v >= 1e6 => trim(format!("{:.1}", v / 1e6)) + "M",
        v if v >= 1e4 => trim(format!("{:.1}", v / 1e3)) + "k",
        v if v >= 10.0 || v.fract() == 0.0 => format!("{v:.0}"),
        v => trim(format!("{v:.1}")),
    }
}

/// Formats microseconds in few characters, such as `10 ms`.
fn brief_time(us: f64) -> String {
    let trim = |text: String| text.strip_suffix(".0").map(str::to_owned).unwrap_or(text);
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e6 => trim(format!("{:.1}", us / 1e3)) + " ms",
        us => trim(format!("{:.1}", us / 1e6)) + " s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, Option<f64>)], style: Style) -> ChartSeries {
        ChartSeries { name: "sent", colour: 1, style, points: points.to_vec() }
    }

    const AXIS: Axis = Axis { label: "s", max: 10.0, ticks: None };

    #[test]
    fn a_gap_in_the_data_is_a_gap_in_the_line() {
        let points = [(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(1.0))];
        let chart = draw("t", &AXIS, Scale::Count, &[series(&points, Style::Line)], 0.0).unwrap();
        assert_eq!(chart.shapes[0].path.matches('M').count(), 2);
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        assert!(
            draw("t", &AXIS, Scale::Count, &[series(&[(0.0, None)], Style::Line)], 0.0).is_none()
        );
        assert!(draw("t", &AXIS, Scale::Count, &[], 0.0).is_none());
    }

    #[test]
    fn stripes_show_the_values_at_their_place() {
        let points: Vec<_> = (0..200).map(|n| (f64::from(n) / 20.0, Some(f64::from(n)))).collect();
        let chart = draw("t", &AXIS, Scale::Count, &[series(&points, Style::Line)], 0.0).unwrap();
        assert_eq!(chart.stripes.len(), STRIPES_MAX);
        assert_eq!(chart.stripes[8].text, "1.0 to 1.1 s\nsent: 20");
    }

    #[test]
    fn axes_have_round_marks() {
        assert_eq!(round_steps(37.0, 5), [0.0, 10.0, 20.0, 30.0]);
        let y = Vertical::new(Scale::Time, 300.0, 45_000.0);
        let labels: Vec<String> = y.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["100 µs", "1 ms", "10 ms", "100 ms"]);
        let narrow = Vertical::new(Scale::Time, 300.0, 900.0).ticks();
        assert_eq!(narrow.len(), 4); // 100, 200, 500 µs, 1 ms
    }

    #[test]
    fn stacked_series_add_up() {
        let mut both =
            [series(&[(0.0, Some(1.0))], Style::Area), series(&[(0.0, Some(2.0))], Style::Area)];
        stack(&mut both);
        assert_eq!(both[0].points, [(0.0, Some(3.0))]);
    }
}
