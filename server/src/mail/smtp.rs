//! Mails by SMTP (RFC 5321), as `multipart/alternative` of text and HTML.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use control::mail::{To, Undelivered};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::{Carrier, Ready};
use crate::Failure;
use crate::config::Mail;
use crate::say;

/// How long the server may take for each of its answers. All of them together stay below the lease of a mail.
const PATIENCE: Duration = Duration::from_secs(20);
/// Answers by which a server says that this mail will never be taken: no such person, or an address it cannot use. Whatever
/// else it refuses may be the server's own trouble (a wrong password of ours, a full mailbox) and is tried again.
const NEVER: [u16; 4] = [501, 550, 551, 553];

/// A mail server, and in whose name we send.
pub(crate) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Does not connect yet.
    pub(crate) fn new(config: &Mail) -> Result<Self, Failure> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(config.smtp_url.expose_secret())
            .map_err(|_| "`mail.smtp_url` is no mail server's address")?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self { server, from: config.from.clone() })
    }

    /// Whether the server answers and takes our password, for whoever looks after the installation.
    pub(crate) async fn test(&self) -> Result<(), Failure> {
        match self.server.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it answers, and says that it is not ready".into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Carrier for Smtp {
    async fn carry(&self, mail: &Ready) -> Result<(), Undelivered> {
        let message = message(mail, &self.from).map_err(|error| {
            tracing::error!(mail = %mail.id, error = say::one_line(error.as_ref()), "a mail could not be put together");
            Undelivered { again: false, problem: "could not be put together".to_owned() }
        })?;
        match self.server.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The server's words can hold the address: they are for the log alone.
                tracing::warn!(mail = %mail.id, error = say::one_line(&error), "the mail server did not take a mail");
                Err(undelivered(&error))
            }
        }
    }
}

fn undelivered(error: &lettre::transport::smtp::Error) -> Undelivered {
    match error.status().map(u16::from) {
        Some(code) => Undelivered { again: !NEVER.contains(&code), problem: format!("refused: {code}") },
        None if error.is_timeout() => Undelivered { again: true, problem: "took too long".to_owned() },
        None if error.is_tls() => Undelivered { again: true, problem: "TLS failed".to_owned() },
        None => Undelivered { again: true, problem: "the mail server cannot be reached".to_owned() },
    }
}

fn message(mail: &Ready, from: &Mailbox) -> Result<Message, Failure> {
    let To { email, name, sender_name, reply_to } = &mail.to;
    let from = match sender_name {
        Some(name) => Mailbox::new(Some(one_line(name)), from.email.clone()),
        None => from.clone(),
    };
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let mut message = Message::builder()
        .from(from)
        .to(Mailbox::new(name.as_deref().map(one_line), email.parse()?))
        .subject(mail.mail.subject.clone())
        .message_id(Some(id))
        .date(SystemTime::from(mail.at));
    if let Some(reply_to) = reply_to {
        message = message.reply_to(Mailbox::new(None, reply_to.parse()?));
    }
    // Nobody's absence is to be answered to us (RFC 3834).
    let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
    let message = message.raw_header(HeaderValue::new(generated, "auto-generated".to_owned()));
    Ok(message
        .multipart(MultiPart::alternative_plain_html(mail.mail.text.clone(), mail.mail.html.clone()))?)
}

/// A name as a header can have it.
fn one_line(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use model::MailId;

    use super::*;

    fn sent(to: To) -> String {
        let mail = Ready {
            id: MailId::from(uuid::Uuid::from_u128(7)),
            to,
            mail: app::mails::Mail {
                subject: "Müller & Söhne: your password".to_owned(),
                text: "Hello Jürgen,\n\nhttps://app.example.com/reset/abc\n".to_owned(),
                html: "<p>Hello Jürgen</p>".to_owned(),
            },
            at: "2026-11-22T21:40:00Z".parse().unwrap(),
        };
        let from = "WorkingAgents <no-reply@example.com>".parse().unwrap();
        String::from_utf8(message(&mail, &from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_both_forms_and_says_that_a_machine_wrote_it() {
        let text = sent(To::address("juergen@example.com").named("Jürgen Müller"));
        for part in [
            "From: WorkingAgents <no-reply@example.com>\r\n",
            "Message-ID: <mail_00000000000000000000000000000007@example.com>\r\n",
            "Date: Sun, 22 Nov 2026 21:40:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "multipart/alternative",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
            "<juergen@example.com>",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains("Reply-To"));
    }

    #[test]
    fn an_organization_can_be_the_senders_name_and_no_name_makes_a_header() {
        let to = To::address("ada@example.com")
            .named("Ada\r\nBcc: everybody@example.com")
            .on_behalf_of(Some("Acme\r\nX: y".to_owned()), Some("help@acme.example".to_owned()));
        let text = sent(to);
        // The name, encoded as RFC 2047 has it: `AcmeX: y`.
        assert!(text.contains("From: =?utf-8?b?QWNtZVg6IHk=?= <no-reply@example.com>\r\n"), "{text}");
        assert!(text.contains("Reply-To: help@acme.example\r\n"), "{text}");
        assert!(!text.contains("\r\nBcc:") && !text.contains("\r\nX: y"), "{text}");
    }
}
