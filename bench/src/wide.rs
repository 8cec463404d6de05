//! `bench wide`: what one comparison does not answer. From one caller to hundreds, large results, half the load that saturates, a
//! catalog of a thousand tools, a thousand tenants, and memory: for each connection, for each open stream, and over a million calls.

mod memory;
mod result;

use self::memory::{over_many_calls, with_connections};
use self::result::{Row, Wide, goals, tables};
use crate::caller::Door;
use crate::load::Options as LoadOptions;
use crate::processes::{Started, open_many};
use crate::report::{DIRECT, WITHOUT};
use crate::setting::Place;
use crate::subjects::{Bare, Stage, Subject, Watch, Watched, start};
use crate::{Failure, print, round};

/// Callers at a time, where they become more.
const CALLERS: [u32; 4] = [1, 16, 64, 256];
/// A large result, in bytes.
const LARGE: u32 = 1 << 20;
/// Tools of a large catalog.
const TOOLS: u32 = 1000;
/// Tenants of one gateway.
const TENANTS: u32 = 1000;

/// What to measure and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that each single measurement takes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Calls over which the gateway's memory is watched.
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// Connections, and then open streams, whose memory is measured.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    #[command(flatten)]
    place: Place,
}

/// Measures, writes the JSON file and prints the tables.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    open_many();
    let (binary, folder, setting) = options.place.prepare()?;
    let data = &folder.0;
    let stage = start(&binary, &data.join("database"), data, 0)?;
    let callers = more_and_more_callers(&options, &stage)?;
    let half = half_the_load(&options, &stage, &callers)?;
    let large = large_results(&options, &stage)?;
    let memory_over_calls = match stage.subjects.iter().find(|subject| subject.name == WITHOUT) {
        Some(subject) => over_many_calls(&subject.door, &subject.tool, stage.bare_pid(), options.calls)?,
        None => Vec::new(),
    };
    let upstream = stage.subjects.iter().find(|subject| subject.name == DIRECT);
    let upstream = upstream.map_or("", |subject| subject.door.url.as_str());
    let list = {
        let (started, bare) = Bare::start(upstream, &["--tools", &TOOLS.to_string()], data)?;
        let load = LoadOptions { list: true, ..options.load(bare.first()?, "") };
        Row::of(
            "list_of_900_of_1000_tools",
            &load,
            round::take("a list of 1000 tools", &load, &watch(&started))?,
        )
    };
    let (started, bare) = Bare::start(upstream, &["--tenants", &TENANTS.to_string()], data)?;
    let tenants = one_and_many_tenants(&options, &bare, &watch(&started))?;
    drop((started, bare));
    let (started, bare) = Bare::start(upstream, &["--tenants", &TENANTS.to_string()], data)?;
    let memory = with_connections(&bare.doors, options.connections, started.pid())?;
    let wide = Wide {
        setting,
        seconds: options.seconds,
        goals: goals(&callers, &half, &list, &memory_over_calls),
        callers,
        half,
        large,
        list,
        tenants,
        memory,
        memory_over_calls,
    };
    print(&tables(&wide));
    options.place.write(Some("wide"), &wide.setting, &wide)
}

impl Options {
    fn load(&self, door: &Door, tool: &str) -> LoadOptions {
        LoadOptions { seconds: self.seconds, ..LoadOptions::of(door, tool) }
    }

    fn measured(
        &self,
        subject: &Subject,
        with: impl FnOnce(LoadOptions) -> LoadOptions,
    ) -> Result<Row, Failure> {
        let load = with(self.load(&subject.door, &subject.tool));
        Ok(Row::of(subject.name, &load, round::take(subject.name, &load, &subject.watched)?))
    }
}

fn watch(gateway: &Started) -> Watched {
    let load = ("load", Watch::Process(std::process::id()));
    vec![load, ("gateway", Watch::Process(gateway.pid()))]
}

/// In closed loops.
fn more_and_more_callers(options: &Options, stage: &Stage) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for callers in CALLERS {
        for subject in &stage.subjects {
            rows.push(options.measured(subject, |load| LoadOptions { callers, ..load })?);
        }
    }
    Ok(rows)
}

/// At half the rate that each of ours reached with 64 callers, and the direct call at the same rates.
fn half_the_load(options: &Options, stage: &Stage, saturated: &[Row]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let ours = stage.subjects.iter().filter(|subject| subject.name != DIRECT);
    for subject in ours {
        let most = saturated.iter().find(|row| row.subject == subject.name && row.callers == 64);
        let Some(most) = most.filter(|row| row.throughput > 2.0) else { continue };
        let rate = Some((most.throughput / 2.0).round());
        let direct = stage.subjects.iter().find(|subject| subject.name == DIRECT);
        for subject in direct.into_iter().chain([subject]) {
            rows.push(options.measured(subject, |load| LoadOptions { callers: 64, ..load }.paced(rate))?);
        }
    }
    Ok(rows)
}

/// A short question and a megabyte of text for an answer.
fn large_results(options: &Options, stage: &Stage) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for callers in [1, 16] {
        for subject in &stage.subjects {
            rows.push(options.measured(subject, |load| LoadOptions { callers, result: LARGE, ..load })?);
        }
    }
    Ok(rows)
}

/// 64 callers that call for one tenant, and for a thousand in turns.
fn one_and_many_tenants(options: &Options, bare: &Bare, watched: &Watched) -> Result<Vec<Row>, Failure> {
    let first = bare.first()?;
    let tool = format!("{}.echo", crate::forgetful::MODULE);
    let mut rows = Vec::new();
    for (name, others) in
        [("one_tenant", Vec::new()), ("1000_tenants", bare.doors.iter().skip(1).cloned().collect())]
    {
        let load = LoadOptions { callers: 64, modern: true, others, ..options.load(first, &tool) };
        rows.push(Row::of(name, &load, round::take(name, &load, watched)?));
    }
    Ok(rows)
}
