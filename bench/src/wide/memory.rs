//! How much memory the gateway holds.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::caller::{Caller, Door, Endpoint};
use crate::load::{Options as LoadOptions, measure};
use crate::message::{Ask, CallTemplate};
use crate::processes::memory_of;
use crate::{Failure, say};

/// Calls between two looks.
const BETWEEN: u64 = 100_000;
/// How long is waited until what was opened has settled.
const SETTLING: Duration = Duration::from_secs(1);

/// Bytes of the gateway without a ledger.
#[derive(Serialize)]
pub(crate) struct Memory {
    /// Connections, each of another tenant, and then streams on them.
    pub(crate) connections: u32,
    /// With nobody there; all tenants are.
    pub(crate) idle: u64,
    /// More for each connection that has shaken hands and is kept.
    pub(crate) each_connection: f64,
    /// More for each connection on which a stream is open.
    pub(crate) each_stream: f64,
}

/// What it holds after so many calls.
#[derive(Serialize)]
pub(crate) struct After {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

/// Opens connections and then a stream on each.
pub(crate) fn with_connections(doors: &[Door], connections: u32, pid: u32) -> Result<Memory, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::of("starting the callers", wrong))?;
    runtime.block_on(async {
        let doors = || doors.iter().cycle().take(usize::try_from(connections).unwrap_or(0));
        // What it needs once is not counted to the connections.
        let mut callers = Vec::new();
        for door in doors().take(10) {
            callers.push(connected(door).await?);
        }
        drop(callers);
        tokio::time::sleep(SETTLING).await;
        let idle = held(pid)?;
        let mut callers = Vec::new();
        for door in doors() {
            callers.push(connected(door).await?);
        }
        tokio::time::sleep(SETTLING).await;
        let with_connections = held(pid)?;
        let mut streams = Vec::new();
        for caller in &mut callers {
            streams.push(caller.listen().await?);
        }
        tokio::time::sleep(SETTLING).await;
        let with_streams = held(pid)?;
        drop(streams);
        let each = |bytes: u64| (bytes.saturating_sub(idle) as f64 / f64::from(connections)).round();
        let memory = Memory {
            connections,
            idle,
            each_connection: each(with_connections),
            each_stream: each(with_streams),
        };
        say(&format!(
            "bench: {} KiB idle, {:.1} KiB a connection, {:.1} KiB a stream",
            idle >> 10,
            memory.each_connection / 1024.0,
            memory.each_stream / 1024.0
        ));
        Ok(memory)
    })
}

async fn connected(door: &Door) -> Result<Caller, Failure> {
    let calls = CallTemplate { ask: Ask::List, run: String::new(), payload: 0, modern: false };
    let mut caller = Caller::new(Arc::new(Endpoint::new(door, &[], &[], calls, false)?));
    caller.connect().await?;
    Ok(caller)
}

/// 64 callers call until they have called so often.
pub(crate) fn over_many_calls(door: &Door, tool: &str, pid: u32, calls: u64) -> Result<Vec<After>, Failure> {
    let mut looks = vec![After { calls: 0, bytes: held(pid)? }];
    let (mut made, mut looked) = (0, 0);
    while made < calls {
        let load = LoadOptions {
            callers: 64,
            seconds: 1.0,
            warmup: 0.0,
            prefix: format!("m{made}"),
            ..LoadOptions::of(door, tool)
        };
        let report = measure(&load, || {})?;
        if report.calls.failed() > 0 || report.made == 0 {
            let said = report.failures.first().map_or("nothing was answered", String::as_str);
            return Err(Failure(format!("a call failed while memory was watched: {said}")));
        }
        made += report.made;
        if made >= looked + BETWEEN {
            looked = made;
            looks.push(After { calls: made, bytes: held(pid)? });
        }
    }
    say(&format!("bench: after {made} calls it holds {} KiB", held(pid)? >> 10));
    Ok(looks)
}

fn held(pid: u32) -> Result<u64, Failure> {
    memory_of(pid).ok_or_else(|| Failure("the gateway has ended".into()))
}
