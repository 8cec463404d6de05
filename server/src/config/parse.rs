//! The forms that settings' texts have. Each parser answers, for what it cannot read, what would be right.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use gateway::AddressHeader;
use ipnet::IpNet;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use model::Currency;
use secrecy::SecretString;
use url::Url;

pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn wanted<T>(read: Option<T>, wanted: &str) -> Parsed<T> {
    read.ok_or_else(|| wanted.to_owned())
}

/// A whole number within bounds.
pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Parsed<T> {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| (&least..=&most).contains(&number))
            .ok_or_else(|| format!("a whole number from {least} to {most}"))
    }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Parsed<bool> {
    wanted(text.parse().ok(), "true or false")
}

/// An address and a port.
pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    wanted(text.parse().ok(), "an address and a port such as 127.0.0.1:8080 or [::]:8080")
}

/// An origin (RFC 6454): scheme, host, port, and nothing after.
pub(super) fn origin(text: &str) -> Parsed<Url> {
    let read = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    wanted(read, "an origin such as https://agents.example.com, with nothing after the host and port")
}

/// Where OTLP is spoken over HTTP.
pub(super) fn address_of_collector(text: &str) -> Parsed<Url> {
    let read = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    wanted(read, "an address such as http://collector:4318/v1/traces")
}

/// An HTTP header with its value, which is a secret.
pub(super) fn header(text: &str) -> Parsed<(String, SecretString)> {
    let read = text.split_once(':').and_then(|(name, value)| {
        let name: http::HeaderName = name.trim().parse().ok()?;
        let value: http::HeaderValue = value.trim().parse().ok()?;
        Some((name.to_string(), SecretString::from(value.to_str().ok()?)))
    });
    wanted(read, "a header such as Authorization: Bearer …")
}

/// A part of a whole.
pub(super) fn share(text: &str) -> Parsed<f64> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    wanted(
        percent.filter(|it| (0.0..=100.0).contains(it)).map(|it| it / 100.0),
        "a part such as 100% or 2.5%",
    )
}

/// An origin as browsers send it in `Origin`: without the slash.
pub(super) fn origin_header(text: &str) -> Parsed<String> {
    origin(text).map(|url| url.origin().ascii_serialization())
}

/// A network in CIDR form, or one address.
pub(super) fn network(text: &str) -> Parsed<IpNet> {
    let read = text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    wanted(read, "a network such as 10.0.0.0/8 or fd00::/8")
}

/// The header that tells the caller's address.
pub(super) fn address_header(text: &str) -> Parsed<AddressHeader> {
    match text.to_ascii_lowercase().as_str() {
        "x-forwarded-for" => Ok(AddressHeader::ForwardedFor),
        "fly-client-ip" => Ok(AddressHeader::FlyClientIp),
        _ => Err("x-forwarded-for or fly-client-ip".to_owned()),
    }
}

/// An ISO 4217 code.
pub(super) fn currency(text: &str) -> Parsed<Currency> {
    wanted(text.parse().ok(), "three capital letters such as EUR (ISO 4217)")
}

/// `250ms`, `10s`, `5m`, `1h`.
pub(super) fn duration(text: &str) -> Parsed<Duration> {
    let read = || {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at_checked(digits)?;
        let count: u64 = count.parse().ok()?;
        let millis = match unit.trim() {
            "ms" => count,
            "s" => count.checked_mul(1000)?,
            "m" => count.checked_mul(60_000)?,
            "h" => count.checked_mul(3_600_000)?,
            _ => return None,
        };
        Some(Duration::from_millis(millis))
            .filter(|read| !read.is_zero() && *read <= Duration::from_secs(86_400))
    };
    wanted(read(), "a time such as 250ms, 10s or 5m, at most a day")
}

/// `512 B`, `256 KiB`, `4 MiB`.
pub(super) fn size(text: &str) -> Parsed<usize> {
    let read = || {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at_checked(digits)?;
        let count: usize = count.parse().ok()?;
        let shift = match unit.trim() {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            _ => return None,
        };
        count.checked_mul(1 << shift).filter(|bytes| (1..=1 << 30).contains(bytes))
    };
    wanted(read(), "a size such as 512 B, 256 KiB or 4 MiB, at most 1024 MiB")
}

/// A PostgreSQL address. Only its scheme is looked at here; connecting tells the rest.
pub(super) fn database(text: &str) -> Parsed<String> {
    let fits = text.starts_with("postgres://") || text.starts_with("postgresql://");
    wanted(fits.then(|| text.to_owned()), "a PostgreSQL address such as postgres://user:password@host/name")
}

/// The address of a mail server, as lettre takes it. What it says of a wrong one could hold the password.
pub(super) fn smtp(text: &str) -> Parsed<String> {
    let fits = AsyncSmtpTransport::<Tokio1Executor>::from_url(text).is_ok();
    let wanted_is = "a mail server's address such as smtps://user:password@mail.example.com or smtp://127.0.0.1:1025, with \
                     ?tls=required or ?tls=opportunistic for STARTTLS";
    wanted(fits.then(|| text.to_owned()), wanted_is)
}

/// Somebody's mail address with their name.
pub(super) fn mailbox(text: &str) -> Parsed<Mailbox> {
    wanted(text.parse().ok(), "a name and a mail address such as WorkingAgents <no-reply@example.com>")
}

/// Any text that is not empty.
pub(super) fn text(text: &str) -> Parsed<String> {
    wanted((!text.is_empty()).then(|| text.to_owned()), "a text that is not empty")
}
