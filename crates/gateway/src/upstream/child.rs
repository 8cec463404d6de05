//! A program that is a server, while it runs: spoken to in lines (MCP 2025-11-25, Transports, stdio), and ended with its session.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use model::TenantId;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::launch::Launch;
use super::pipe::Source;
use super::sending::Outgoing;
use super::trouble::Trouble;
use crate::programs::Place;

/// Messages that wait to be written, and how long a program may leave one unread.
pub(super) const LINES: usize = 64;
const UNREAD: Duration = Duration::from_secs(30);
/// What a program is given for each step of its end.
const GRACE: Duration = Duration::from_secs(1);
/// Longest line of its log that is read, in bytes.
const LOG_LINE: usize = 2048;
/// A message for a program.
#[derive(Debug)]
pub(super) struct Line {
    message: Outgoing,
    written: oneshot::Sender<Result<(), Trouble>>,
}

impl Line {
    /// Comes back when it has been written. Given up before it was begun, it is not.
    pub(super) async fn send(lines: &mpsc::Sender<Self>, message: Outgoing) -> Result<(), Trouble> {
        let (written, answer) = oneshot::channel();
        // Where nobody writes any more, it is over, and whoever waits for an answer is told why.
        if lines.send(Self { message, written }).await.is_err() {
            return Ok(());
        }
        answer.await.unwrap_or(Ok(()))
    }
}

/// Writes messages, each in a line of its own, until nobody has any or the program reads none.
pub(super) async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Line>, deaf: CancellationToken) {
    while let Some(Line { message, written }) = lines.recv().await {
        if written.is_closed() {
            continue;
        }
        let Ok(text) = message.hand_over() else {
            let _ = written.send(Err(Trouble::TooLate));
            continue;
        };
        // Arguments are as their client wrote them; outside of texts a line break is a space.
        let mut line: Vec<u8> =
            text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        line.push(b'\n');
        let done = timeout(UNREAD, async {
            stdin.write_all(&line).await?;
            stdin.flush().await
        });
        if !matches!(done.await, Ok(Ok(()))) {
            deaf.cancel();
            return;
        }
        let _ = written.send(Ok(()));
    }
}

/// What a program says beside its messages, for whoever runs it.
pub(super) async fn log(program: String, tenant: TenantId, mut from: impl AsyncRead + Unpin) {
    let mut line = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        for byte in piece.get(..count).unwrap_or_default() {
            if *byte == b'\n' {
                tracing::debug!(program, %tenant, said = %String::from_utf8_lossy(&line), "a program said");
                line.clear();
            } else if line.len() < LOG_LINE {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        tracing::debug!(program, %tenant, said = %String::from_utf8_lossy(&line), "a program said");
    }
}

/// What a program says, and all that goes with it when it ends. In this order.
pub(super) struct Stdout {
    pub(super) launch: Arc<Launch>,
    pub(super) url: Arc<str>,
    pub(super) begun: Instant,
    pub(super) stdout: ChildStdout,
    pub(super) read: BytesMut,
    /// How much of that is known to have no end of a line.
    pub(super) looked_at: usize,
    pub(super) limit: usize,
    /// It reads no messages any more.
    pub(super) deaf: CancellationToken,
    pub(super) writing: Writing,
    pub(super) process: Process,
    pub(super) folder: TempDir,
    pub(super) place: Place,
}

/// Ends what writes, so that the program's input ends.
pub(super) struct Writing(pub(super) tokio::task::JoinHandle<()>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A program with all that it has started.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) group: Pid,
}

impl Process {
    /// Waits until it has ended, but not for long. It is kept in the list of processes, so that its number stays its own.
    async fn has_ended(&self, within: Duration) -> bool {
        let ended = async {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(self.group), options), Ok(None)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(within, ended).await.is_ok()
    }

    /// Ends whatever is left. How it had ended, if it had.
    async fn kill(mut self) -> Option<String> {
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = timeout(GRACE, self.child.wait()).await.ok()?.ok()?;
        Some(status.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // As long as nobody has asked how it ended, the number is its own.
        if self.child.id().is_some() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}

impl Source for Stdout {
    async fn next(&mut self) -> Result<Vec<Bytes>, Trouble> {
        loop {
            let mut lines = Vec::new();
            while let Some(end) =
                self.read.get(self.looked_at..).and_then(|new| new.iter().position(|byte| *byte == b'\n'))
            {
                let line = self.read.split_to(self.looked_at + end).freeze();
                self.read.advance(1);
                self.looked_at = 0;
                if !line.trim_ascii().is_empty() {
                    lines.push(line);
                }
            }
            self.looked_at = self.read.len();
            if self.read.len() > self.limit || lines.iter().any(|line| line.len() > self.limit) {
                return Err(Trouble::TooLarge { url: self.url.to_string(), limit: self.limit });
            }
            if !lines.is_empty() {
                return Ok(lines);
            }
            self.read.reserve(8 << 10);
            let read = tokio::select! {
                read = self.stdout.read_buf(&mut self.read) => read,
                () = self.deaf.cancelled() => Ok(0),
            };
            if !matches!(read, Ok(1..)) {
                // `end` says how.
                return Err(Trouble::BrokeOff { url: self.url.to_string() });
            }
        }
    }

    async fn end(self, trouble: Option<Trouble>) -> Option<Trouble> {
        let Self { launch, url, begun, writing, process, folder, place, .. } = self;
        let trouble = match trouble {
            None => {
                // 2025-11-25, Lifecycle, Shutdown: its input ends, then it is asked, then it is not.
                drop(writing);
                if !process.has_ended(GRACE).await {
                    let _ = kill_process_group(process.group, Signal::TERM);
                    process.has_ended(GRACE).await;
                }
                process.kill().await;
                tracing::info!(program = launch.name, tenant = %launch.tenant, "a program was stopped");
                None
            }
            Some(trouble) => {
                launch.ended(begun);
                process.has_ended(GRACE / 2).await;
                let how = process.kill().await.unwrap_or_else(|| "it does not end".to_owned());
                tracing::warn!(program = launch.name, tenant = %launch.tenant, how, why = %trouble, "a program ended");
                match trouble {
                    Trouble::BrokeOff { .. } => {
                        let why = format!("ended before its answer was complete ({how})");
                        Some(Trouble::ProgramEnded { url: url.to_string(), why })
                    }
                    trouble => Some(trouble),
                }
            }
        };
        // It may have left much.
        let _ = tokio::task::spawn_blocking(move || drop(folder)).await;
        drop(place);
        trouble
    }
}
