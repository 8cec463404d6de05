//! Who calls what and when in a working week.

use chrono::{Datelike, Days, NaiveTime, TimeDelta, Timelike, Weekday};
use model::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};

use super::crm::Filled;
use super::handbook;
use super::past::Client;

/// About so many calls besides those that fill the CRM.
const CALLS: u32 = 1_270;

/// Agents with what they call, and how much of the week's calls are theirs, in percent.
pub(super) const AGENTS: &[(&str, u32, Client)] = &[
    ("Pipeline reporter", 30, Client { name: "", version: "", modern: false, from: [198, 51, 100, 7] }),
    (
        "CRM steward",
        14,
        Client { name: "claude-code", version: "2.1.14", modern: true, from: [203, 0, 113, 24] },
    ),
    (
        "Draft writer",
        5,
        Client { name: "claude-code", version: "2.1.14", modern: true, from: [203, 0, 113, 80] },
    ),
    ("Lead qualifier", 26, Client { name: "", version: "", modern: false, from: [198, 51, 100, 7] }),
    (
        "Campaign planner",
        13,
        Client { name: "mcp-inspector", version: "2.12.0", modern: true, from: [203, 0, 113, 91] },
    ),
    (
        ENGINEER,
        7,
        Client { name: "meridian-release-bot", version: "1.4.0", modern: true, from: [203, 0, 113, 62] },
    ),
    (NIGHTLY, 12, Client { name: "cron-agent", version: "0.9.2", modern: true, from: [192, 0, 2, 15] }),
];

/// Looks things up in the team handbook.
pub(super) const ENGINEER: &str = "Release notes";
/// Works at night, and is stopped at the end of the week.
pub(super) const NIGHTLY: &str = "Nightly sync";

/// How busy an office is at each hour of a working day.
const DAY: [u32; 24] = [0, 0, 0, 0, 0, 0, 1, 4, 12, 20, 22, 20, 11, 15, 21, 20, 17, 11, 5, 3, 2, 1, 0, 0];
/// When the nightly work is done.
const NIGHT: [u32; 24] = [0, 2, 12, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Seven days ago, when people come to work.
pub(super) fn first_morning(now: Timestamp) -> Timestamp {
    let day = now.checked_sub_days(Days::new(7)).unwrap_or(now);
    let morning =
        NaiveTime::from_hms_opt(7, 5, 0).and_then(|time| day.with_time(time).single()).unwrap_or(day);
    // In the first hours of a day, seven days ago at seven is less than seven days ago.
    morning.min(day)
}

/// When who calls, in the order of time: an index into [`AGENTS`].
pub(super) fn week(from: Timestamp, to: Timestamp, random: &mut ChaCha12Rng) -> Vec<(Timestamp, usize)> {
    // How much of the week falls into each hour, for offices and for the night.
    let hours: Vec<(Timestamp, u32, u32)> = (0..)
        .map(|hour| from + TimeDelta::hours(hour))
        .take_while(|hour| *hour < to - TimeDelta::hours(1))
        .map(|hour| {
            let of = |day: &[u32; 24]| day.get(hour.hour() as usize).copied().unwrap_or(0);
            let weekend = matches!(hour.weekday(), Weekday::Sat | Weekday::Sun);
            (hour, if weekend { of(&DAY) } else { of(&DAY) * 8 }, of(&NIGHT))
        })
        .collect();
    let mut planned = Vec::new();
    for (who, (agent, percent, _)) in AGENTS.iter().enumerate() {
        let weights: Vec<u32> =
            hours.iter().map(|(_, office, night)| if *agent == NIGHTLY { *night } else { *office }).collect();
        let total: u32 = weights.iter().sum();
        if total == 0 {
            continue;
        }
        for _ in 0..CALLS * percent / 100 {
            let mut left = random.random_range(0..total);
            for ((hour, ..), weight) in hours.iter().zip(&weights) {
                if left < *weight {
                    planned.push((*hour + TimeDelta::milliseconds(random.random_range(0..3_600_000)), who));
                    break;
                }
                left -= weight;
            }
        }
    }
    planned.sort();
    planned
}

/// One of the things an agent does.
pub(super) fn act(
    agent: &str,
    at: Timestamp,
    filled: &Filled,
    random: &mut ChaCha12Rng,
) -> (&'static str, Value) {
    let dice = random.random_range(0..100);
    let mut one_of = |count: usize| if count == 0 { 0 } else { random.random_range(0..count) };
    let company = filled.companies.get(one_of(filled.companies.len())).cloned().unwrap_or_default();
    let contact = filled.contacts.get(one_of(filled.contacts.len())).cloned().unwrap_or_default();
    let deal = filled.deals.get(one_of(filled.deals.len())).cloned().unwrap_or_default();
    let stage = ["lead", "qualified", "proposal", "negotiation"].get(one_of(4)).copied().unwrap_or("lead");
    let word = company.1.split(' ').next().unwrap_or_default().to_owned();
    let surname = contact.1.rsplit(' ').next().unwrap_or_default().to_owned();
    let heard = [
        "Asked for the price list; sent it.",
        "Is interested in a pilot after the summer.",
        "Wants to talk to a reference customer first.",
        "No budget this quarter; ask again in spring.",
        "Passed on to the new head of operations.",
    ];
    let heard = heard.get(one_of(heard.len())).copied().unwrap_or_default();
    let page = handbook::page(one_of(100));
    let word_of_page = page.split(' ').next().unwrap_or_default().to_lowercase();
    let (company, contact) = (company.0, contact.0);
    match (agent, dice) {
        ("Pipeline reporter", 0..40) => ("crm.list_deals", json!({ "stage": stage })),
        ("Pipeline reporter", 40..62) => ("crm.get_deal", json!({ "id": deal })),
        ("Pipeline reporter", 62..80) => {
            ("crm.list_interactions", json!({ "company_id": company, "limit": 10 }))
        }
        ("Pipeline reporter", 80..96) => ("crm.get_company", json!({ "id": company })),
        ("Pipeline reporter", _) => ("crm.delete_deal", json!({ "id": deal })),

        ("CRM steward", 0..35) => ("crm.list_companies", json!({ "search": word })),
        ("CRM steward", 35..60) => (
            "crm.update_company",
            json!({ "id": company, "notes": format!("Checked on {}.", at.date_naive()) }),
        ),
        ("CRM steward", 60..80) => ("crm.list_contacts", json!({ "company_id": company })),
        ("CRM steward", 80..93) => {
            let close_on = (at + TimeDelta::days(45)).date_naive();
            ("crm.update_deal", json!({ "id": deal, "close_on": close_on }))
        }
        // Of a company that is not there (any more): the tool says so.
        ("CRM steward", _) => ("crm.get_company", json!({ "id": format!("comp_{:032x}", dice) })),

        ("Draft writer", 0..70) => ("crm.list_contacts", json!({ "search": surname })),
        ("Draft writer", _) => ("crm.get_company", json!({ "id": company })),

        ("Lead qualifier", 0..30) => ("crm.list_contacts", json!({ "search": surname })),
        ("Lead qualifier", 30..55) => ("crm.get_contact", json!({ "id": contact })),
        ("Lead qualifier", 55..90) => {
            let at = at.to_rfc3339();
            (
                "crm.log_interaction",
                json!({ "contact_id": contact, "kind": "call", "summary": heard, "at": at }),
            )
        }
        ("Lead qualifier", 90..94) => {
            ("crm.log_interaction", json!({ "contact_id": contact, "kind": "phone", "summary": heard }))
        }
        ("Lead qualifier", _) => ("crm.delete_contact", json!({ "id": contact })),

        ("Campaign planner", 0..45) => ("crm.list_contacts", json!({ "search": surname })),
        ("Campaign planner", 45..80) => ("crm.list_companies", json!({ "search": word })),
        ("Campaign planner", 80..90) => ("crm.search", json!({ "query": word })),
        ("Campaign planner", _) => {
            ("crm.update_contact", json!({ "id": contact, "notes": "Invited to the autumn event." }))
        }

        (ENGINEER, 0..55) => ("handbook.search_pages", json!({ "word": word_of_page })),
        (ENGINEER, 55..96) => ("handbook.read_page", json!({ "title": page })),
        (ENGINEER, _) => ("handbook.read_page", json!({ "title": "Travel expenses" })),

        (_, 0..50) => ("crm.list_deals", json!({ "company_id": company })),
        (_, 50..75) => ("crm.list_companies", json!({ "limit": 25 })),
        (_, _) => {
            ("crm.update_deal", json!({ "id": deal, "close_on": (at + TimeDelta::days(30)).date_naive() }))
        }
    }
}
