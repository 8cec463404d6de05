//! What can be set about the data plane. Every value has a default that suits one small node.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use model::Currency;

use crate::programs::Programs;
use crate::seams::{Names, SystemNames};

/// Which header tells the caller's address when the peer is one of [`Settings::trusted_proxies`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AddressHeader {
    /// `X-Forwarded-For`: the last address in it that is not itself a trusted proxy.
    #[default]
    ForwardedFor,
    /// `Fly-Client-IP`, which Fly.io's proxy sets. Only for a proxy that overwrites it: others pass on what a
    /// caller invents.
    FlyClientIp,
}

/// Settings of the data plane, section `gateway` of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest request body in bytes; larger ones are refused with 413. Default 4 MiB.
    pub max_body_bytes: usize,
    /// How many arrays and objects may lie in each other in a call's arguments. Default 64.
    pub max_depth: usize,
    /// How long a request body may take to arrive; then 408. Default 10 s.
    pub body_timeout: Duration,
    /// Limit for a request as a whole, from its headers to its answer. Default 90 s.
    pub request_timeout: Duration,
    /// Values of `Origin` that browsers may come from, such as `https://inspector.example.com`. A request with
    /// any other `Origin` is refused with 403; requests without one are not from a page. Default: none.
    pub allowed_origins: Vec<String>,
    /// Networks of the proxies in front of us, whose word on the caller's address is taken. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of their headers is read. Default `X-Forwarded-For`.
    pub client_address: AddressHeader,
    /// Tools on one page of `tools/list`. Default 500.
    pub list_page: usize,
    /// How long a 2026-07-28 client may keep a list (`ttlMs`). Default 5 s: rights change.
    pub list_ttl: Duration,

    /// Non-public networks that upstream servers may lie in, such as `127.0.0.0/8` for development. Addresses that
    /// are not public are refused otherwise, whatever name they hide behind. Default: none.
    pub allowed_upstream_networks: Vec<IpNet>,
    /// Who knows the addresses of names. Default: whom this machine asks.
    pub names: Arc<dyn Names>,
    /// How long connecting to an upstream server may take, TLS included. Default 5 s.
    pub connect_timeout: Duration,
    /// How long an upstream server may take for one call, to the last byte. Default 60 s.
    pub upstream_timeout: Duration,
    /// Largest answer of an upstream server in bytes. Default 64 MiB.
    pub max_upstream_bytes: usize,
    /// Calls in flight to one module at a time, so that a slow one cannot take everything. Default 64.
    pub upstream_concurrency: usize,
    /// How long a call waits for its place among those. Default 1 s.
    pub upstream_wait: Duration,
    /// After how many calls in a row that a module's server failed it is left alone. 0: never. Default 5.
    pub upstream_faults: u32,
    /// For how long at first; up to sixteen times that while it goes on. Default 5 s.
    pub upstream_rest: Duration,

    /// Programs that modules may be reached by. Default: none.
    pub programs: Programs,

    /// How long a client may take to answer what a server asked it for (2026-07-28). Default 10 minutes.
    pub input_timeout: Duration,
    /// How long a client may listen for changes on one stream; then it is to open another. Default 1 hour.
    pub stream_lifetime: Duration,

    /// Results up to this size are kept on record; of larger ones size and digest. Default 256 KiB.
    pub kept_result_bytes: usize,
    /// For how long a call is decided again when rights change while it waits. Default 2 s.
    pub redecide_for: Duration,
    /// The currency of a price of nothing, where a call names no tool that has a price. Default USD.
    pub currency: Currency,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 << 20,
            max_depth: 64,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(90),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            client_address: AddressHeader::ForwardedFor,
            list_page: 500,
            list_ttl: Duration::from_secs(5),
            allowed_upstream_networks: Vec::new(),
            names: Arc::new(SystemNames),
            connect_timeout: Duration::from_secs(5),
            upstream_timeout: Duration::from_secs(60),
            max_upstream_bytes: 64 << 20,
            upstream_concurrency: 64,
            upstream_wait: Duration::from_secs(1),
            upstream_faults: 5,
            upstream_rest: Duration::from_secs(5),
            programs: Programs::default(),
            input_timeout: Duration::from_secs(600),
            stream_lifetime: Duration::from_secs(3600),
            kept_result_bytes: 256 << 10,
            redecide_for: Duration::from_secs(2),
            currency: Currency::USD,
        }
    }
}
