//! An upstream server of the `initialize` era at the level of bytes: what it answers a call with need not be HTTP that a library
//! would write, nor end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How much a server would send that sends without end.
pub const ENDLESS: u64 = 10 << 30;

/// What a call is answered with, byte for byte.
#[derive(Clone, Default)]
pub struct Answer {
    /// In which `ID` stands for the id of the call.
    pub begins: Vec<u8>,
    /// Over and over again, until [`ENDLESS`] was sent.
    pub goes_on: Vec<u8>,
}

impl Answer {
    /// An answer that ends with the connection.
    pub fn closing(kind: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
        Self { begins: [head.as_bytes(), body].concat(), goes_on: Vec::new() }
    }

    /// The same with something that comes over and over again.
    pub fn endless(kind: &str, body: &str, goes_on: &str) -> Self {
        Self { goes_on: goes_on.as_bytes().to_vec(), ..Self::closing(kind, body.as_bytes()) }
    }
}

#[derive(Clone)]
pub struct Raw {
    pub at: SocketAddr,
    pub url: String,
    pub answer: Arc<Mutex<Answer>>,
    /// How many bytes of its answers to calls were taken from it, or wait in the buffers of the two kernels.
    pub sent: Arc<AtomicU64>,
    /// How many such answers were not taken to their end.
    pub cut_off: Arc<AtomicUsize>,
    /// What it was told, but for calls.
    pub told: Arc<Mutex<Vec<Value>>>,
    pub calls: Arc<AtomicUsize>,
    pub connections: Arc<AtomicUsize>,
}

impl Raw {
    pub async fn answering(answer: Answer) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub async fn at(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let at = listener.local_addr().unwrap();
        let raw = Self {
            at,
            url: format!("http://{at}/mcp"),
            answer: Arc::new(Mutex::new(answer)),
            sent: Arc::default(),
            cut_off: Arc::default(),
            told: Arc::default(),
            calls: Arc::default(),
            connections: Arc::default(),
        };
        let server = raw.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::SeqCst);
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        raw
    }

    /// One request on each connection, so that each needs a new one.
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut stream = stream.into_inner();
        match message["method"].as_str() {
            Some("initialize") => {
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "raw", "version": "1"}});
                let text = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
                stream.write_all(&Answer::closing("application/json", text.as_bytes()).begins).await
            }
            Some("tools/call") => {
                self.calls.fetch_add(1, Ordering::SeqCst);
                let done = self.call(stream, &message["id"].to_string()).await;
                self.cut_off.fetch_add(usize::from(done.is_err()), Ordering::SeqCst);
                done
            }
            _ => {
                self.told.lock().push(message);
                stream
                    .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await
            }
        }
    }

    async fn call(&self, mut stream: TcpStream, id: &str) -> io::Result<()> {
        let Answer { begins, goes_on } = self.answer.lock().clone();
        let begins = match begins.windows(2).position(|two| two == b"ID") {
            Some(at) => [&begins[..at], id.as_bytes(), &begins[at + 2..]].concat(),
            None => begins,
        };
        stream.write_all(&begins).await?;
        let piece = goes_on.repeat((64 << 10) / goes_on.len().max(1));
        while !piece.is_empty() && self.sent.load(Ordering::SeqCst) < ENDLESS {
            let sent = stream.write(&piece).await?;
            self.sent.fetch_add(sent as u64, Ordering::SeqCst);
        }
        stream.shutdown().await
    }
}
