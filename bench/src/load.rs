//! The load generator: callers, a schedule, a tally, and the report as JSON.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ArgGroup;
use http::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::task::{JoinSet, LocalSet};

use crate::caller::{Caller, Door, Endpoint};
use crate::message::{Ask, CallTemplate};
use crate::schedule::Schedule;
use crate::tally::{Counts, Percentiles, Tally};
use crate::{Failure, print};

/// What to call, how often and for how long.
#[derive(clap::Args, Clone)]
#[command(group(ArgGroup::new("pace").required(true).args(["rate", "closed"])))]
pub(crate) struct Options {
    /// The MCP endpoint, http:// only.
    #[arg(long)]
    pub(crate) url: String,
    /// The bearer key.
    #[arg(long, env = "BENCH_KEY", default_value = "", hide_env_values = true)]
    pub(crate) key: String,
    /// The tool; it is called with `{"text": …}`, no two calls alike.
    #[arg(long, default_value = "echo")]
    pub(crate) tool: String,
    /// A header of every request, as `Name: value`; may be given more than once.
    #[arg(long = "header", value_parser = header, value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Ask the tool to fill its answer up to so many bytes.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64 << 20))]
    pub(crate) result: u32,
    /// Ask for the list of tools instead of calling one.
    #[arg(long)]
    pub(crate) list: bool,
    /// Other endpoints of the same server, called in turns with it.
    #[arg(skip)]
    pub(crate) others: Vec<Door>,
    /// Open loop: begin this many calls a second, whatever the answers do, and time each from when it was due.
    #[arg(long, value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// Closed loop: each caller begins a call when its last one has been answered.
    #[arg(long)]
    pub(crate) closed: bool,
    /// Callers at the same time, a connection each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) callers: u32,
    /// How long to measure.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub(crate) seconds: f64,
    /// How long to call before measuring.
    #[arg(long, default_value_t = 1.0, value_parser = not_negative)]
    pub(crate) warmup: f64,
    /// Length of the text in bytes.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8_000_000))]
    pub(crate) payload: u32,
    /// Begins each call's text; the call's number follows.
    #[arg(long, default_value = "bench")]
    pub(crate) prefix: String,
    /// Speak the stateless revision 2026-07-28 instead of the `initialize` era.
    #[arg(long)]
    pub(crate) modern: bool,
    /// Do not demand that the answer's text is the call's.
    #[arg(long)]
    pub(crate) any_answer: bool,
}

/// A header as curl takes it.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("must be `Name: value`")?;
    let name = name.trim().parse().map_err(|_| "has no header's name")?;
    Ok((name, value.trim().parse().map_err(|_| "has a value that no header can have")?))
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text)
        .and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be above 0".into()) })
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1e9).contains(&number) => Ok(number),
        _ => Err("must be a number from 0 to 1000000000".into()),
    }
}

impl Options {
    /// Calls of a tool in a closed loop by one caller, for five seconds after one; every answer is checked.
    pub(crate) fn of(door: &Door, tool: &str) -> Self {
        Self {
            url: door.url.clone(),
            key: door.key.clone(),
            tool: tool.to_owned(),
            headers: Vec::new(),
            result: 0,
            list: false,
            others: Vec::new(),
            rate: None,
            closed: true,
            callers: 1,
            seconds: 5.0,
            warmup: 1.0,
            payload: 64,
            prefix: "bench".into(),
            modern: false,
            any_answer: false,
        }
    }

    /// At this many calls a second, or in a closed loop.
    pub(crate) fn paced(self, rate: Option<f64>) -> Self {
        Self { rate, closed: rate.is_none(), ..self }
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// `open` or `closed`.
    pub(crate) pace: &'static str,
    /// Calls a second that the schedule asked for, when open.
    pub(crate) rate: Option<f64>,
    /// Callers at the same time.
    pub(crate) callers: u32,
    /// How long was measured, in seconds, until the last answer.
    pub(crate) seconds: f64,
    /// Successes a second.
    pub(crate) throughput: f64,
    /// Calls that were begun, warm-up included.
    pub(crate) made: u64,
    /// Calls by how they ended.
    pub(crate) calls: Counts,
    /// From the scheduled start to the answer, in microseconds; successes only.
    pub(crate) latency_us: Percentiles,
    /// From sending to the answer, in microseconds; successes only.
    pub(crate) service_us: Percentiles,
    /// What the first failures said.
    pub(crate) failures: Vec<String>,
}

/// Measures and prints the report as one line of JSON.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let report = measure(&options, || {})?;
    let json = serde_json::to_string(&report).map_err(|wrong| Failure::of("writing the report", wrong))?;
    print(&json);
    Ok(())
}

/// Connects, warms up, calls `measuring` and measures. Runs on the calling thread alone (and the pacer's, when open).
pub(crate) fn measure(options: &Options, measuring: impl FnOnce()) -> Result<Report, Failure> {
    let tool = options.tool.clone();
    let calls = CallTemplate {
        ask: if options.list { Ask::List } else { Ask::Call { tool, result: options.result } },
        run: options.prefix.clone(),
        payload: options.payload as usize,
        modern: options.modern,
    };
    if [&options.tool, &calls.run]
        .iter()
        .any(|text| text.contains(['"', '\\']) || text.contains(char::is_control))
    {
        return Err(Failure("tool and prefix must be plain text without quotes and backslashes".into()));
    }
    let door = Door { url: options.url.clone(), key: options.key.clone() };
    let echoed = !options.any_answer;
    let endpoint = Arc::new(Endpoint::new(&door, &options.others, &options.headers, calls, echoed)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::of("starting the load generator", wrong))?;
    LocalSet::new().block_on(&runtime, measured(options, endpoint, measuring))
}

async fn measured(
    options: &Options,
    endpoint: Arc<Endpoint>,
    measuring: impl FnOnce(),
) -> Result<Report, Failure> {
    let mut callers = Vec::new();
    for _ in 0..options.callers {
        let mut caller = Caller::new(endpoint.clone());
        caller.connect().await?;
        callers.push(caller);
    }
    // Numbers go on from the warm-up, so that no text of a run repeats.
    let numbers = Arc::new(AtomicU64::new(1));
    if options.warmup > 0.0 {
        let lasting = Duration::from_secs_f64(options.warmup);
        callers = phase(callers, Schedule::new(options.rate, lasting), numbers.clone()).await?.0;
    }
    measuring();
    let schedule = Schedule::new(options.rate, Duration::from_secs_f64(options.seconds));
    let begin = Instant::now();
    let (_, tally) = phase(callers, schedule, numbers.clone()).await?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Report {
        pace: if options.rate.is_some() { "open" } else { "closed" },
        rate: options.rate,
        callers: options.callers,
        seconds: (seconds * 1000.0).round() / 1000.0,
        throughput: (tally.counts().ok as f64 / seconds * 10.0).round() / 10.0,
        made: numbers.load(Ordering::Relaxed) - 1,
        calls: tally.counts(),
        latency_us: tally.latency(),
        service_us: tally.service(),
        failures: tally.failures().to_vec(),
    })
}

/// Runs all callers through a schedule, to the last answer.
async fn phase(
    callers: Vec<Caller>,
    schedule: Arc<Schedule>,
    numbers: Arc<AtomicU64>,
) -> Result<(Vec<Caller>, Tally), Failure> {
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let pacer = schedule.pace()?;
    let mut running = JoinSet::new();
    for mut caller in callers {
        let (schedule, numbers, tally) = (schedule.clone(), numbers.clone(), tally.clone());
        running.spawn_local(async move {
            while let Some(due) = schedule.next().await {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let (end, latency, service, said) = caller.call(number, due).await;
                tally.borrow_mut().note(end, latency, service, said);
            }
            caller
        });
    }
    let callers = running.join_all().await;
    let issued = pacer.map_or(0, |pacer| pacer.join().unwrap_or(0));
    let tally = Rc::try_unwrap(tally).map_err(|_| Failure("a caller is still running".into()))?;
    let mut tally = tally.into_inner();
    tally.not_begun(issued.saturating_sub(schedule.begun()));
    Ok((callers, tally))
}
