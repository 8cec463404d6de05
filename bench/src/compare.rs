//! `bench run`: everything in one run, on one machine, in turns, so that what disturbs one disturbs all.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use crate::disk::{fdatasync_us, median};
use crate::load::{Options as LoadOptions, header};
use crate::report::{Comparison, Disk, Measured, Round, Shape, WITH, goals, ratios, tables};
use crate::setting::Place;
use crate::subjects::{Other, Subject, start};
use crate::{Failure, print};
use crate::{record, round};

/// Rounds by shape and subject.
type Rounds = BTreeMap<(usize, usize), Vec<Round>>;

/// What to compare and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that each single measurement takes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often each measurement is repeated, in turns with the others; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Calls a second of the open-loop measurement.
    #[arg(long, default_value_t = 2500.0)]
    open_rate: f64,
    /// Length of the echoed text in bytes.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    payload: u32,
    /// Fill the answers up to so many bytes of text.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64 << 20))]
    result: u32,
    /// Port of the echo upstream, for another gateway that is to stand before it too; 0: any.
    #[arg(long, default_value_t = 0)]
    echo_port: u16,
    /// Another MCP gateway before the same upstream, to be measured in turns with ours. Start it first, with the echo upstream as
    /// `http://127.0.0.1:ECHO_PORT/mcp`.
    #[arg(long, value_name = "NAME=URL", requires = "echo_port")]
    other: Option<String>,
    /// A header that it wants, as `Name: value`; may be given more than once.
    #[arg(long, value_parser = header, value_name = "NAME: VALUE", requires = "other")]
    other_header: Vec<(HeaderName, HeaderValue)>,
    /// What the tool `echo` is called there.
    #[arg(long, default_value = "echo", requires = "other")]
    other_tool: String,
    /// Its process, whose processor time is to be told.
    #[arg(long, requires = "other")]
    other_pid: Option<u32>,
    #[command(flatten)]
    place: Place,
}

impl Options {
    fn other(&self) -> Result<Option<Subject>, Failure> {
        let Some(other) = &self.other else { return Ok(None) };
        let (name, url) =
            other.split_once('=').ok_or_else(|| Failure("--other must be NAME=URL".to_owned()))?;
        let other =
            Other { name, url, headers: &self.other_header, tool: &self.other_tool, pid: self.other_pid };
        Ok(Some(other.subject()))
    }
}

/// Compares, writes the JSON file and prints the tables.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let (binary, folder, setting) = options.place.prepare()?;
    let data = &folder.0;
    let mut stage = start(&binary, &data.join("database"), data, options.echo_port)?;
    stage.subjects.extend(options.other()?);
    let shapes = [
        Shape { callers: 1, rate: None },
        Shape { callers: 64, rate: None },
        Shape { callers: 64, rate: Some(options.open_rate) },
    ];
    let mut disk = Vec::new();
    let mut rounds = Rounds::new();
    for turn in 1..=options.rounds {
        disk.extend(fdatasync_us(data)?);
        for (at_shape, shape) in shapes.iter().enumerate() {
            for (at_subject, subject) in stage.subjects.iter().enumerate() {
                let round = one(subject, *shape, &options, turn)?;
                rounds.entry((at_shape, at_subject)).or_default().push(round);
            }
        }
    }
    let (made, tool) = made_through_the_product(&stage.subjects, &rounds);
    let record = record::count(&stage.database_url, tool, made)?;
    let floor = median(&disk);
    let results = summed_up(&shapes, &stage.subjects, rounds);
    let ratios = ratios(&results, floor);
    let comparison = Comparison {
        setting,
        seconds: options.seconds,
        rounds: options.rounds,
        payload: options.payload,
        result: options.result,
        fdatasync_us: Disk::of(disk),
        goals: goals(&results, &ratios, &record, floor),
        record,
        ratios,
        results,
    };
    print(&tables(&comparison));
    options.place.write(None, &comparison.setting, &comparison)
}

/// One measurement.
fn one(subject: &Subject, shape: Shape, options: &Options, turn: u32) -> Result<Round, Failure> {
    let load = LoadOptions {
        headers: subject.headers.clone(),
        callers: shape.callers,
        seconds: options.seconds,
        payload: options.payload,
        result: options.result,
        prefix: format!("r{turn}"),
        ..LoadOptions::of(&subject.door, &subject.tool).paced(shape.rate)
    };
    round::take(&format!("round {turn}, {}", subject.name), &load, &subject.watched)
}

/// How many calls the product got, warm-ups included, and of which tool.
fn made_through_the_product<'a>(subjects: &'a [Subject], rounds: &Rounds) -> (u64, &'a str) {
    let product = subjects.iter().position(|subject| subject.name == WITH);
    let its =
        rounds.iter().filter(|((_, subject), _)| Some(*subject) == product).flat_map(|(_, rounds)| rounds);
    let tool = product.and_then(|at| subjects.get(at)).map_or("", |subject| subject.tool.as_str());
    (its.map(|round| round.report.made).sum(), tool)
}

fn summed_up(shapes: &[Shape], subjects: &[Subject], mut rounds: Rounds) -> Vec<Measured> {
    let mut results = Vec::new();
    for (at_shape, shape) in shapes.iter().enumerate() {
        for (at_subject, subject) in subjects.iter().enumerate() {
            let rounds = rounds.remove(&(at_shape, at_subject)).unwrap_or_default();
            results.push(Measured::of(subject.name, *shape, rounds));
        }
    }
    results
}
