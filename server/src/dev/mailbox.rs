//! The mailbox of `dev`: where mails end that would go by SMTP. Kept in this process, newest first, shown on an address of
//! its own.
//!
//! What others wrote stands in these mails, so the HTML is shown as mail programs do: sandboxed, without scripts, loading
//! nothing.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use control::mail::Undelivered;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use model::MailId;
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mail::{Carrier, Ready};

/// Older mails than this many are forgotten.
const MOST: usize = 500;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}\
    table{border-collapse:collapse;width:100%}th,td{text-align:start;padding:.5rem;border-bottom:1px solid #8886}\
    pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:1rem;border:1px solid #8886;border-radius:4px}\
    iframe{width:100%;height:40rem;border:1px solid #8886;border-radius:4px}dt{font-weight:600}dd{margin:0 0 .5rem}";
const OF_A_PAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Links of a mail open beside; nothing else in it can do anything.
const OF_A_MAIL: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; \
                         base-uri 'self'; form-action 'none'; frame-ancestors 'self'";

/// What came in. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailbox(Arc<RwLock<VecDeque<Ready>>>);

#[async_trait]
impl Carrier for Mailbox {
    async fn carry(&self, mail: &Ready) -> Result<(), Undelivered> {
        let mut mails = self.0.write();
        if mails.iter().all(|known| known.id != mail.id) {
            mails.push_front(mail.clone());
            mails.truncate(MOST);
        }
        Ok(())
    }
}

impl Mailbox {
    /// The pages, and the same for tests as JSON.
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/", get(list))
            .route("/mails/{id}", get(one))
            .route("/mails/{id}/html", get(html))
            .route("/api/mails", get(api))
            .with_state(self)
    }

    fn find(&self, id: &str) -> Result<Ready, StatusCode> {
        let id: MailId = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
        self.0.read().iter().find(|mail| mail.id == id).cloned().ok_or(StatusCode::NOT_FOUND)
    }
}

async fn list(State(mailbox): State<Mailbox>) -> Response {
    let mut rows = String::new();
    for mail in mailbox.0.read().iter() {
        let _ = write!(
            rows,
            "<tr><td><time>{}</time></td><td>{}</td><td><a href=\"/mails/{}\">{}</a></td></tr>",
            mail.at.format("%H:%M:%S"),
            escaped(&mail.to.email),
            mail.id,
            escaped(&mail.mail.subject)
        );
    }
    let content = if rows.is_empty() {
        "<p>No mail was sent yet. Sign up, invite somebody, or ask for a new password: what is sent then is here at once, \
         until the server stops.</p>"
            .to_owned()
    } else {
        format!(
            "<table><caption>Newest first; kept until the server stops. Reload to see more.</caption><thead><tr>\
             <th scope=\"col\">Time (UTC)</th><th scope=\"col\">To</th><th scope=\"col\">Subject</th></tr></thead>\
             <tbody>{rows}</tbody></table>"
        )
    };
    page(
        "Mailbox",
        &format!("<h1>Mailbox</h1><p>Mails that this development server would have sent.</p>{content}"),
    )
}

async fn one(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    let Ready { id, to, mail, at } = mailbox.find(&id)?;
    let mut facts = format!("<dt>To</dt><dd>{}</dd>", escaped(&to.email));
    for (word, fact) in [("Sender's name", &to.sender_name), ("Answers go to", &to.reply_to)] {
        if let Some(fact) = fact {
            let _ = write!(facts, "<dt>{word}</dt><dd>{}</dd>", escaped(fact));
        }
    }
    let content = format!(
        "<p><a href=\"/\">All mails</a></p><h1>{subject}</h1><dl>{facts}<dt>Time</dt><dd>{at}</dd></dl>\
         <h2>As text</h2><pre>{text}</pre><h2>As HTML</h2>\
         <iframe title=\"The mail as HTML\" src=\"/mails/{id}/html\" \
         sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe>",
        subject = escaped(&mail.subject),
        at = at.format("%Y-%m-%d %H:%M:%S UTC"),
        text = linked(&mail.text),
    );
    Ok(page(&mail.subject, &content))
}

async fn html(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    let mail = mailbox.find(&id)?.mail;
    // In a frame, a link would open inside it.
    let html = mail.html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    Ok(guarded(OF_A_MAIL, Html(html)))
}

#[derive(Deserialize)]
struct Asked {
    /// Only mails to this address.
    to: Option<String>,
}

async fn api(State(mailbox): State<Mailbox>, Query(asked): Query<Asked>) -> Json<Vec<Value>> {
    let mails = mailbox.0.read();
    let wanted = mails
        .iter()
        .filter(|mail| asked.to.as_ref().is_none_or(|to| to.eq_ignore_ascii_case(&mail.to.email)));
    Json(
        wanted
            .map(|Ready { id, to, mail, at }| {
                json!({
                    "id": id,
                    "at": at,
                    "to": to.email,
                    "name": to.name,
                    "sender_name": to.sender_name,
                    "reply_to": to.reply_to,
                    "subject": mail.subject,
                    "text": mail.text,
                    "html": mail.html,
                    "links": mail.text.lines().filter(|line| is_link(line)).collect::<Vec<_>>(),
                })
            })
            .collect(),
    )
}

fn page(title: &str, content: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{} · development</title><style>{STYLE}</style></head>\
         <body><main>{content}</main></body></html>",
        escaped(title)
    );
    guarded(OF_A_PAGE, Html(page))
}

fn guarded(policy: &'static str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let headers: [(HeaderName, &'static str); 3] =
        [(CONTENT_SECURITY_POLICY, policy), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "no-store")];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn is_link(line: &str) -> bool {
    line.starts_with("http://") || line.starts_with("https://")
}

/// The text, with those lines as links that are addresses.
fn linked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = escaped(line);
        let _ = if is_link(&line) {
            writeln!(out, "<a href=\"{line}\">{line}</a>")
        } else {
            writeln!(out, "{line}")
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use app::mails::Mail;
    use axum::body::Body;
    use control::mail::To;
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(mailbox: &Mailbox, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = mailbox.clone().router().oneshot(request).await.unwrap();
        let policy =
            response.headers().get(CONTENT_SECURITY_POLICY).map(|it| it.to_str().unwrap().to_owned());
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, policy.unwrap_or_default(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn mails_are_shown_newest_first_and_can_do_nothing() {
        let mailbox = Mailbox::default();
        assert!(ask(&mailbox, "/").await.2.contains("No mail was sent yet"));
        for (number, subject) in [(1, "First"), (2, "<script>second</script>")] {
            let mail = Mail {
                subject: subject.to_owned(),
                text: "Open:\nhttps://app.example.com/verify/x\"><b>\n".to_owned(),
                html: "<!DOCTYPE html><html><head></head><body>hello</body></html>".to_owned(),
            };
            let id = MailId::from(uuid::Uuid::from_u128(number));
            let ready = Ready {
                id,
                to: To::address(format!("{number}@example.com")),
                mail,
                at: "2026-11-22T21:40:00Z".parse().unwrap(),
            };
            mailbox.carry(&ready).await.unwrap();
            // Told twice, it is there once.
            mailbox.carry(&ready).await.unwrap();
        }
        let (_, _, page) = ask(&mailbox, "/").await;
        assert!(page.find("second").unwrap() < page.find("First").unwrap());
        assert!(!page.contains("<script>"));
        let id = MailId::from(uuid::Uuid::from_u128(2));
        let (status, policy, page) = ask(&mailbox, &format!("/mails/{id}")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(policy.contains("default-src 'none'") && !page.contains("<script>") && !page.contains("<b>"));
        let (_, policy, html) = ask(&mailbox, &format!("/mails/{id}/html")).await;
        assert!(policy.starts_with("sandbox ") && html.contains("_blank"));
        let (_, _, json) = ask(&mailbox, "/api/mails?to=2@EXAMPLE.com").await;
        let mails: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert_eq!((mails.len(), mails[0]["to"].as_str()), (1, Some("2@example.com")));
        assert_eq!(mails[0]["links"][0], "https://app.example.com/verify/x\"><b>");
        assert_eq!(ask(&mailbox, "/mails/nothing").await.0, StatusCode::NOT_FOUND);
    }
}
