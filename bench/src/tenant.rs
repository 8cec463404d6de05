//! `bench tenant`: an organization of 10,000 people, 500 units, 2,000 tools and a million calls, and how long each page of its
//! dashboard takes to the first byte. Filled by SQL as the owner of the tables (`tenant/fill.sql`), asked for over HTTP as a
//! browser does, page after page in turns, so that what disturbs one disturbs all.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::net::TcpStream;

use crate::processes::Started;
use crate::setting::{Place, Setting};
use crate::{Failure, print, say};

/// `dev` makes a database, migrates it and loads the demo before it is ready.
const READY: Duration = Duration::from_secs(300);
/// A page that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// The sums of the ledger are made within this time.
const SUMS: Duration = Duration::from_secs(600);
/// What the first byte of a page may take.
const GOAL_MS: f64 = 200.0;

/// How large, and how often to ask.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Calls over the last 90 days.
    #[arg(long, default_value_t = 1_000_000)]
    calls: u32,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    samples: u32,
    /// The folder of the pages' static files.
    #[arg(long, default_value = "target/site")]
    site: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    config_file: PathBuf,
    admin_database_url: String,
}

#[derive(Deserialize)]
struct Founded {
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    email: String,
    password: String,
}

/// One page, as it was measured.
#[derive(Serialize)]
struct Page {
    who: &'static str,
    path: String,
    status: u16,
    bytes: usize,
    /// Milliseconds to the first byte.
    p50: f64,
    p95: f64,
    max: f64,
}

/// What is written to the file.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    setting: Setting,
    calls: u32,
    samples: u32,
    /// Seconds that filling the database took.
    filled_in: f64,
    /// Seconds until the worker had summed up all of it.
    summed_in: f64,
    goal_ms: f64,
    pages: Vec<Page>,
}

pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let (binary, folder, setting) = options.place.prepare()?;
    say("bench: starting the product with its database");
    let mut command = Command::new(&binary);
    command.args(["dev", "--json", "--port", "0", "--data"]).arg(folder.0.join("database"));
    command.arg("--site").arg(&options.site);
    let log = folder.0.join("workingagents.log");
    let (_product, ready) = Started::start::<Ready>("workingagents dev", &mut command, &log, READY)?;
    let founded = found(&binary, &ready)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::of("starting the runtime", wrong))?;
    let (filled_in, summed_in, pages) = runtime.block_on(measure(&options, &ready, &founded.owner))?;
    let report = Report {
        setting,
        calls: options.calls,
        samples: options.samples,
        filled_in,
        summed_in,
        goal_ms: GOAL_MS,
        pages,
    };
    tell(&report);
    options.place.write(Some("tenant"), &report.setting, &report)
}

fn found(binary: &Path, ready: &Ready) -> Result<Founded, Failure> {
    let wrong = |wrong: &dyn std::fmt::Display| Failure::of("founding the organization", wrong);
    let output = Command::new(binary)
        .args(["admin", "--config"])
        .arg(&ready.config_file)
        .args([
            "--json",
            "tenant",
            "create",
            "--slug",
            "big",
            "--name",
            "Big",
            "--owner-email",
            "owner@big.example",
        ])
        .args(["--owner-name", "Olga Owner"])
        .output()
        .map_err(|it| wrong(&it))?;
    if !output.status.success() {
        return Err(wrong(&String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|it| wrong(&it))
}

async fn measure(options: &Options, ready: &Ready, owner: &Owner) -> Result<(f64, f64, Vec<Page>), Failure> {
    let wrong = |wrong: sqlx::Error| Failure::of("filling the database", wrong);
    let mut database = PgConnection::connect(&ready.admin_database_url).await.map_err(wrong)?;
    say(&format!("bench: filling the organization with {} calls", options.calls));
    let begin = Instant::now();
    fill(&mut database, options.calls).await.map_err(wrong)?;
    let filled_in = begin.elapsed().as_secs_f64();
    say(&format!("bench: filled in {filled_in:.0} s; waiting for the sums"));
    let begin = Instant::now();
    loop {
        let summed: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(calls), 0)::bigint FROM money_sums WHERE grain = 'day' AND tenant_id = (SELECT tenant FROM tenant_slugs WHERE slug = 'big')",
        )
        .fetch_one(&mut database)
        .await
        .map_err(wrong)?;
        // Those of the last quarter of an hour may still be above the mark.
        if summed >= i64::from(options.calls) * 99 / 100 {
            break;
        }
        if begin.elapsed() > SUMS {
            return Err(Failure(format!("only {summed} calls were summed up in time")));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let summed_in = begin.elapsed().as_secs_f64();
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut database).await.map_err(wrong)?;
    let subjects = paths(&mut database).await.map_err(wrong)?;
    let mut people = [
        ("owner", Browser::sign_in(&ready.url, &owner.email, &owner.password).await?),
        ("member", Browser::sign_in(&ready.url, "person-7200@big.example", &owner.password).await?),
    ];
    let mut taken: Vec<(usize, String, StatusCode, usize, Vec<f64>)> =
        subjects.into_iter().map(|(who, path)| (who, path, StatusCode::OK, 0, Vec::new())).collect();
    say(&format!("bench: asking for {} pages, {} times each", taken.len(), options.samples));
    for round in 0..=options.samples {
        for (who, path, status, bytes, samples) in &mut taken {
            let Some((_, browser)) = people.get_mut(*who) else { continue };
            let (answered, first, length) = browser.get(path).await?;
            (*status, *bytes) = (answered, length);
            // The first round fills caches.
            if round > 0 {
                samples.push(first.as_secs_f64() * 1_000.0);
            }
        }
    }
    let pages = taken.into_iter().map(|(who, path, status, bytes, mut samples)| {
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let last = samples.len().saturating_sub(1);
            let index = (part * last as f64).ceil() as usize;
            samples.get(index.min(last)).map_or(0.0, |ms| (ms * 10.0).round() / 10.0)
        };
        let who = if who == 0 { "owner" } else { "member" };
        Page { who, path, status: status.as_u16(), bytes, p50: at(0.5), p95: at(0.95), max: at(1.0) }
    });
    Ok((filled_in, summed_in, pages.collect()))
}

async fn fill(database: &mut PgConnection, calls: u32) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT make_ledger_partitions(now() - interval '4 months', now())")
        .execute(&mut *database)
        .await?;
    let mut tx = database.begin().await?;
    sqlx::query("SELECT set_config('fill.tenant', (SELECT tenant FROM tenant_slugs WHERE slug = 'big')::text, true), set_config('fill.calls', $1, true)")
        .bind(calls.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::raw_sql(include_str!("tenant/fill.sql")).execute(&mut *tx).await?;
    // A person who can sign in: with the owner's password.
    sqlx::query(
        "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE email = 'owner@big.example')
         WHERE email = 'person-7200@big.example'",
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    // Together they would be a transaction, in which there is no VACUUM.
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&mut *database).await?;
    }
    Ok(())
}

/// Who asks for which page: every kind there is, of things that are busy and of things that are not.
async fn paths(database: &mut PgConnection) -> Result<Vec<(usize, String)>, sqlx::Error> {
    let row = sqlx::query(
        "WITH org AS (SELECT tenant FROM tenant_slugs WHERE slug = 'big'),
              busy AS (SELECT agent_id, owner_id, tool_id, module_id, unit_path, id FROM calls, org
                       WHERE tenant_id = org.tenant AND tool_id IS NOT NULL ORDER BY id DESC LIMIT 1),
              quiet AS (SELECT a.id, a.owner_id, a.home_unit_id FROM agents a JOIN users u ON u.id = a.owner_id, org
                        WHERE a.tenant_id = org.tenant AND u.email = 'person-7200@big.example' LIMIT 1)
         SELECT replace(busy.agent_id::text, '-', ''), replace(quiet.id::text, '-', ''),
                replace(quiet.home_unit_id::text, '-', ''), replace(busy.unit_path[1]::text, '-', ''),
                replace(quiet.owner_id::text, '-', ''), replace(busy.module_id::text, '-', ''), replace(busy.id::text, '-', ''),
                m.name, t.name,
                replace((SELECT c.id::text FROM calls c, org WHERE c.tenant_id = org.tenant
                         AND c.id > uuid_floor(now() - interval '45 days') ORDER BY c.id LIMIT 1), '-', '')
         FROM busy, quiet, org, modules m, tools t
         WHERE m.tenant_id = org.tenant AND m.id = busy.module_id AND t.tenant_id = org.tenant AND t.id = busy.tool_id",
    )
    .fetch_one(database)
    .await?;
    let text = |at: usize| row.get::<String, _>(at);
    let (busy, quiet) = (format!("agent_{}", text(0)), format!("agent_{}", text(1)));
    let (team, department) = (format!("unit_{}", text(2)), format!("unit_{}", text(3)));
    let (person, module, call) =
        (format!("user_{}", text(4)), format!("mod_{}", text(5)), format!("call_{}", text(6)));
    let (module_name, tool_name, middle) = (text(7), text(8), format!("call_{}", text(9)));
    let owner = [
        String::new(),
        "/activity".to_owned(),
        "/activity?verdict=deny".to_owned(),
        "/activity?verdict=hold".to_owned(),
        format!("/activity?agent={busy}"),
        format!("/activity?agent={quiet}"),
        format!("/activity?module={module}"),
        format!("/activity?tool={tool_name}"),
        "/activity?tool=nothing-is-called-so".to_owned(),
        format!("/activity?unit={team}"),
        format!("/activity?unit={department}"),
        format!("/activity?person={person}"),
        "/activity?outcome=timed_out".to_owned(),
        "/activity?outcome=interrupted".to_owned(),
        format!("/activity?before={middle}"),
        format!("/activity/{call}"),
        "/activity/rejected".to_owned(),
        "/people".to_owned(),
        format!("/people/units/{team}"),
        format!("/people/users/{person}"),
        format!("/people/agents/{busy}"),
        format!("/people/agents/{quiet}"),
        "/people/agents/new".to_owned(),
        "/people/invitations".to_owned(),
        "/catalog".to_owned(),
        format!("/catalog/{module_name}"),
        format!("/catalog/{module_name}/{tool_name}"),
        "/grants".to_owned(),
        "/grants?by=agents".to_owned(),
        "/grants?by=people".to_owned(),
        "/grants/list".to_owned(),
        "/money".to_owned(),
        "/money?span=90d&by=agent".to_owned(),
        "/money?span=90d&by=user".to_owned(),
        "/money?view=what&span=90d&by=tool".to_owned(),
        "/money?view=change&span=30d&by=team".to_owned(),
        "/money?view=when&span=90d".to_owned(),
        "/money?view=cross&span=90d&by=agent&beside=tool".to_owned(),
        format!("/money?span=90d&by=agent&department={department}"),
        "/usage".to_owned(),
        "/settings".to_owned(),
        "/me".to_owned(),
        "/find?q=helper".to_owned(),
    ];
    let member = ["", "/activity", "/usage?span=90d", "/people", "/catalog", "/me"];
    let owner = owner.into_iter().map(|path| (0, format!("/t/big{path}")));
    Ok(owner.chain(member.into_iter().map(|path| (1, format!("/t/big{path}")))).collect())
}

/// One person's browser: a kept connection and a cookie.
struct Browser {
    authority: String,
    origin: String,
    cookie: String,
    sender: SendRequest<Full<bytes::Bytes>>,
}

impl Browser {
    async fn sign_in(url: &str, email: &str, password: &str) -> Result<Self, Failure> {
        let authority = url.trim_start_matches("http://").to_owned();
        let sender = connect(&authority).await?;
        let mut browser = Self { authority, origin: url.to_owned(), cookie: String::new(), sender };
        let coded = |text: &str| {
            text.bytes()
                .map(|byte| match byte.is_ascii_alphanumeric() {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02X}"),
                })
                .collect::<String>()
        };
        let body = format!("email={}&password={}&next=", coded(email), coded(password));
        let request = browser
            .request(Method::POST, "/sign-in")
            .header(ORIGIN, &browser.origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(body));
        let (head, _, _) = browser.send(request.map_err(|it| Failure::of("signing in", it))?).await?;
        let cookies =
            head.headers.get_all(SET_COOKIE).iter().filter_map(|it| it.to_str().ok()?.split(';').next());
        browser.cookie = cookies.collect::<Vec<_>>().join("; ");
        if browser.cookie.is_empty() || !head.status.is_redirection() {
            return Err(Failure(format!("{email} could not sign in: HTTP {}", head.status)));
        }
        Ok(browser)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        let request = request.header(ACCEPT, "text/html");
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    /// Status, time to the first byte, and length; what a redirect within leads to counts with it.
    async fn get(&mut self, path: &str) -> Result<(StatusCode, Duration, usize), Failure> {
        let mut place = path.to_owned();
        let mut before = Duration::ZERO;
        for _ in 0..3 {
            let request = self.request(Method::GET, &place).body(Full::default());
            let (head, first, length) = self.send(request.map_err(|it| Failure::of(path, it))?).await?;
            before += first;
            match head.headers.get(LOCATION).and_then(|to| to.to_str().ok()) {
                Some(to) if head.status.is_redirection() && to.starts_with("/t/") => place = to.to_owned(),
                _ => return Ok((head.status, before, length)),
            }
        }
        Err(Failure(format!("{path} leads round in a circle")))
    }

    async fn send(
        &mut self,
        request: Request<Full<bytes::Bytes>>,
    ) -> Result<(http::response::Parts, Duration, usize), Failure> {
        let path = request.uri().to_string();
        let wrong = |wrong: &dyn std::fmt::Display| Failure::of(&format!("asking for {path}"), wrong);
        if self.sender.ready().await.is_err() {
            self.sender = connect(&self.authority).await?;
            self.sender.ready().await.map_err(|it| wrong(&it))?;
        }
        let begin = Instant::now();
        let answered = tokio::time::timeout(PATIENCE, self.sender.send_request(request)).await;
        let answer = answered.map_err(|it| wrong(&it))?.map_err(|it| wrong(&it))?;
        let (head, mut body) = answer.into_parts();
        let mut first = None;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|it| wrong(&it))?;
            first.get_or_insert_with(|| begin.elapsed());
            length += frame.data_ref().map_or(0, bytes::Bytes::len);
        }
        Ok((head, first.unwrap_or_else(|| begin.elapsed()), length))
    }
}

async fn connect(authority: &str) -> Result<SendRequest<Full<bytes::Bytes>>, Failure> {
    let wrong = |wrong: &dyn std::fmt::Display| Failure::of(&format!("connecting to {authority}"), wrong);
    let stream = TcpStream::connect(authority).await.map_err(|it| wrong(&it))?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|it| wrong(&it))?;
    tokio::spawn(connection);
    Ok(sender)
}

fn tell(report: &Report) {
    print(&format!(
        "{:<8}{:>6}{:>9}{:>9}{:>9}{:>10}  page",
        "who", "HTTP", "p50 ms", "p95 ms", "max ms", "bytes"
    ));
    for page in &report.pages {
        let mark = if page.p95 > GOAL_MS { "  SLOW" } else { "" };
        print(&format!(
            "{:<8}{:>6}{:>9.1}{:>9.1}{:>9.1}{:>10}  {}{mark}",
            page.who, page.status, page.p50, page.p95, page.max, page.bytes, page.path
        ));
    }
    let slow = report.pages.iter().filter(|page| page.p95 > GOAL_MS).count();
    print(&format!("{} of {} pages take more than {GOAL_MS:.0} ms at p95", slow, report.pages.len()));
}
