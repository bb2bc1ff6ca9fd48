//! What a message and a session cost a server as its sessions grow from ten to ten thousand, as figures and as a drawing.

use std::fs;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use plotters::prelude::*;

use super::servers::{Mosquitto, Node, memory};
use super::{MESSAGES, PAIRS, WINDOW, mqtt, parlance};
use crate::Failed;
use crate::process::cpu_seconds_of;
use crate::report::Figure;

/// Sessions that do nothing while others write to each other.
const STEPS: [usize; 4] = [10, 100, 1_000, 10_000];

/// Runs at each step.
const RUNS: usize = 3;

/// Where the drawing is put.
const DRAWING: &str = "target/figures/node-growth.svg";

/// What one server did at one step.
struct Step {
    sessions: usize,
    /// Time of a core for each message, of each run.
    micros: Vec<f64>,
    /// Resident memory for each of the sessions there are.
    bytes: f64,
}

/// Measures both servers, and draws what came of it.
pub(super) async fn grow(figures: &mut Vec<Figure>) -> Result<(), Failed> {
    let node = Node::start()?;
    let at = node.port;
    let ours = steps(node.pid(), |more| parlance::idle(at, more), || parlance::pairs(at, PAIRS, MESSAGES, 100, WINDOW))
        .await?;
    drop(node);
    let mosquitto = Mosquitto::start()?;
    let at = mosquitto.port;
    let theirs =
        steps(mosquitto.pid(), |more| mqtt::idle(at, more), || mqtt::pairs(at, PAIRS, MESSAGES, 100, WINDOW)).await?;
    drop(mosquitto);
    let keys = [
        ["node_at_10_us", "node_at_100_us", "node_at_1000_us", "node_at_10000_us"],
        ["mosquitto_at_10_us", "mosquitto_at_100_us", "mosquitto_at_1000_us", "mosquitto_at_10000_us"],
    ];
    for (keys, steps) in keys.iter().zip([&ours, &theirs]) {
        for (key, step) in keys.iter().zip(steps) {
            figures.push(Figure::new(key, "us", step.micros.clone()));
        }
    }
    let last = |steps: &[Step]| steps.last().map_or(f64::NAN, |step| step.bytes);
    figures.push(Figure::new("node_idle_bytes", "bytes", vec![last(&ours)]).with_peer(Some(&[last(&theirs)])));
    figures.push(Figure::new("mosquitto_idle_bytes", "bytes", vec![last(&theirs)]));
    draw(&lab::root().join(DRAWING), &ours, &theirs)
}

/// Adds idle sessions step by step; at each, others write to each other.
async fn steps<T, Idle, Work>(
    pid: u32,
    more: impl Fn(usize) -> Idle,
    work: impl Fn() -> Work,
) -> Result<Vec<Step>, Failed>
where
    Idle: Future<Output = Result<Vec<T>, Failed>>,
    Work: Future<Output = Result<Duration, Failed>>,
{
    // What the first messages make a server take for good is no cost of a session.
    work().await?;
    let before = memory(pid)?;
    let (mut held, mut steps) = (Vec::new(), Vec::new());
    for sessions in STEPS {
        held.extend(more(sessions - held.len()).await?);
        // Servers tidy up after many logins.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let bytes = memory(pid)?.saturating_sub(before) as f64 / sessions as f64;
        let mut micros = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let begun = cpu_seconds_of(&pid.to_string());
            work().await?;
            micros.push((cpu_seconds_of(&pid.to_string()) - begun) * 1e6 / (PAIRS * MESSAGES) as f64);
        }
        steps.push(Step { sessions, micros, bytes });
    }
    Ok(steps)
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Two panels beside each other, the sessions to the right on a logarithmic axis.
fn draw(to: &Path, ours: &[Step], theirs: &[Step]) -> Result<(), Failed> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let area = SVGBackend::new(to, (960, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(480);
    let (low, high) = (SeriesLabelPosition::LowerRight, SeriesLabelPosition::UpperLeft);
    panel(&left, ("CPU time for each message, µs", low), [ours, theirs], |step| median(&step.micros))?;
    panel(&right, ("Memory for each idle session, KB", high), [ours, theirs], |step| step.bytes / 1_000.0)?;
    area.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    (title, names): (&str, SeriesLabelPosition),
    [ours, theirs]: [&[Step]; 2],
    value: impl Fn(&Step) -> f64,
) -> Result<(), Failed> {
    let highest = ours.iter().chain(theirs).map(&value).fold(0.0, f64::max);
    let across: Range<f64> = 8.0..12_500.0;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(across.log_scale(), 0.0..highest * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("sessions")
        .x_label_formatter(&|sessions: &f64| format!("{sessions:.0}"))
        .draw()?;
    for (name, steps, colour) in
        [("parlance-node", ours, RGBColor(11, 110, 153)), ("mosquitto", theirs, RGBColor(150, 90, 20))]
    {
        let points: Vec<(f64, f64)> = steps.iter().map(|step| (step.sessions as f64, value(step))).collect();
        chart
            .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(names)
        .background_style(WHITE)
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    Ok(())
}
