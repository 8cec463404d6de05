//! A visit and calls to render.

use std::sync::Arc;

use app::document::{Assets, Site, Visit};
use app::links::Place;
use app::wording::Clock;
use control::authority::Deed;
use model::call::{CallRow, CallStory, Content, Failure, Outcome, Reason, ReasonCode, Verdict};
use model::{AgentId, CallId, Currency, ModuleId, Money, Timestamp, UnitId, UserId, Zone};
use uuid::Uuid;

pub(crate) const HOSTILE: &str =
    "<script>alert('x')</script> \"quoted\" & \u{202E}gpj.exe\u{0} שלום 👩‍👩‍👧 \u{E0041}";

pub(crate) fn now() -> Timestamp {
    "2026-11-22T18:03:22.481Z".parse().unwrap()
}

pub(crate) fn clock() -> Clock {
    Clock { now: now(), zone: Zone::UTC }
}

pub(crate) fn before(millis: i64) -> Timestamp {
    now() - chrono::TimeDelta::milliseconds(millis)
}

pub(crate) fn visit() -> Visit {
    Visit {
        site: Site {
            assets: Arc::new(Assets {
                css: "/pkg/app.css?v=1".into(),
                js: "/pkg/app.js?v=1".into(),
                wasm: "/pkg/app_bg.wasm?v=1".into(),
            }),
            development: true,
            nonce: "c2FtcGxl".into(),
            machines: "https://mcp.workingagents.example".into(),
            programs: None,
            now: now(),
            zone: Zone::UTC,
        },
        slug: "brightwater".parse().unwrap(),
        organization: "Brightwater".into(),
        mcp_id: "mcp_7c1e0d4f5a9b4c2d8e6f1a2b3c4d5e6f".into(),
        currency: Currency::EUR,
        user: UserId::from(Uuid::from_u128(7)),
        person: "Dana Reyes".into(),
        roles: vec!["Owner".into(), "Approver in Sales".into()],
        deeds: Deed::ALL.to_vec(),
        places: vec![
            Place::Home,
            Place::Activity,
            Place::Catalog,
            Place::Grants,
            Place::People,
            Place::Money,
            Place::Settings,
        ],
        notice: None,
    }
}

fn money(text: &str) -> Money {
    Money { amount: text.parse().unwrap(), currency: Currency::EUR }
}

pub(crate) fn call_id(n: u128) -> CallId {
    CallId::from(Uuid::from_u128(0x019a_9c00_0000_7000_8000_0000_0000_0000 + n))
}

fn row(n: u128, ago: i64, agent: &str, owner: &str, unit: &str, tool: &str) -> CallRow {
    CallRow {
        id: call_id(n),
        received_at: before(ago),
        agent: AgentId::from(Uuid::from_u128(agent.len() as u128)),
        agent_name: agent.into(),
        owner: UserId::from(Uuid::from_u128(owner.len() as u128)),
        owner_name: owner.into(),
        on_behalf_of: None,
        on_behalf_of_name: None,
        unit: Some(UnitId::from(Uuid::from_u128(unit.len() as u128))),
        unit_name: Some(unit.into()),
        tool_name: tool.into(),
        verdict: Verdict::Permit,
        reason: None,
        outcome: Some(Outcome::Succeeded),
        duration_us: Some(12_480),
        charge: Some(money("0.0025")),
    }
}

pub(crate) fn denial() -> Reason {
    Reason {
        code: ReasonCode::MissingKey,
        sentence: "Denied: agent “Inbox helper” (Marketing) has no crm:write. Grants of it end at Sales. Ask the owner \
                   of CRM: Miriam Okafor."
            .into(),
        missing_key: Some("crm:write".parse().unwrap()),
        ask: Some("Miriam Okafor".into()),
    }
}

pub(crate) fn rows() -> Vec<CallRow> {
    let mut rows = vec![
        CallRow { outcome: None, duration_us: None, charge: None, ..row(20, 1_200, "Pipeline scout", "Jonas Weber", "Sales", "crm.search_contacts") },
        CallRow { on_behalf_of_name: Some("Dana Reyes".into()), ..row(19, 9_480, "Meeting notes", "Amara Diallo", "Sales", "crm.add_interaction") },
        CallRow {
            verdict: Verdict::Deny,
            reason: Some(denial()),
            outcome: None,
            duration_us: None,
            charge: None,
            ..row(18, 31_000, "Inbox helper", "Priya Nair", "Marketing", "crm.delete_company")
        },
        CallRow { duration_us: Some(1_842_000), charge: Some(money("0.04")), ..row(17, 64_000, "Report writer", "Tomasz Zieliński", "Finance", "everything.longRunningOperation") },
        CallRow {
            verdict: Verdict::Hold,
            reason: Some(Reason {
                code: ReasonCode::ApprovalRequired,
                sentence: "Held: mails to addresses outside the organization need the approval of an approver of Sales.".into(),
                missing_key: None,
                ask: None,
            }),
            outcome: None,
            duration_us: None,
            charge: None,
            on_behalf_of_name: Some("Dana Reyes".into()),
            ..row(16, 118_000, "Outreach drafter", "Jonas Weber", "Sales", "gmail.send_message")
        },
        CallRow { outcome: Some(Outcome::ToolError), duration_us: Some(88_120), ..row(15, 180_000, "Pipeline scout", "Jonas Weber", "Sales", "crm.update_deal") },
        CallRow { outcome: Some(Outcome::TimedOut), duration_us: Some(30_004_000), ..row(14, 420_000, "Report writer", "Tomasz Zieliński", "Finance", "drive.export_document") },
        CallRow { charge: Some(money("0")), duration_us: Some(420), ..row(13, 900_000, "Inbox helper", "Priya Nair", "Marketing", "crm.list_companies") },
        CallRow { outcome: Some(Outcome::Interrupted), duration_us: None, ..row(12, 3_600_000, "Pipeline scout", "Jonas Weber", "Sales", "crm.create_deal") },
        CallRow { outcome: Some(Outcome::Cancelled), duration_us: Some(4_200_000), ..row(11, 90_000_000, "Night auditor", "Miriam Okafor", "Platform", "everything.sampleLLM") },
    ];
    rows.extend((1..11).rev().map(|n| {
        let ago = 90_000_000 + (11 - i64::try_from(n).unwrap()) * 733_000;
        CallRow {
            duration_us: Some(9_000 + ago % 7_000),
            ..row(n, ago, "Pipeline scout", "Jonas Weber", "Sales", "crm.get_company")
        }
    }));
    rows
}

pub(crate) fn story() -> CallStory {
    CallStory {
        row: CallRow { duration_us: Some(186_240), on_behalf_of_name: Some("Dana Reyes".into()), ..row(19, 9_480, "Meeting notes", "Amara Diallo", "Sales", "crm.add_interaction") },
        recorded_at: before(9_471),
        settled_at: Some(before(9_294)),
        upstream_us: Some(171_900),
        unit_path: vec!["Revenue".into(), "Sales".into()],
        credential: Some(("Claude Code on Amara’s laptop".into(), "wa_3fK9aQ".into())),
        client: Some("claude-code 2.1.4".into()),
        protocol: Some("2026-07-28".into()),
        session: None,
        address: Some("203.0.113.24".into()),
        module_title: Some("CRM".into()),
        policies: vec!["standing.granted".into(), "standing.on_behalf_of".into()],
        policy_version: "9f2c47d1b0a84e6f".repeat(4),
        epoch: 418,
        arguments_digest: "5be1a07c3d2f4981".repeat(4),
        arguments: Content::Text(
            r#"{"contact":{"name":"Ingrid Halvorsen","company":"Nordlys Energi"},"kind":"meeting","at":"2026-11-22T15:30:00Z","summary":"Renewal agreed in principle.\nThey want the audit export before signing.","attendees":["Dana Reyes","Ingrid Halvorsen"],"follow_up":true,"value_eur":48200.50}"#.into(),
        ),
        result: Content::Text(
            r#"{"content":[{"type":"text","text":"Recorded the meeting with Ingrid Halvorsen (Nordlys Energi).\nNext: send the audit export by 26 November."},{"type":"image","data":"aGVsbG8=","mimeType":"image/png"}],"structuredContent":{"interaction":"intr_019a9c0000007000800000000000002a","contact":"Ingrid Halvorsen","open_deals":2},"isError":false}"#.into(),
        ),
        exchange: Content::None,
        failure: None,
        amended: None,
    }
}

pub(crate) fn denied() -> CallStory {
    CallStory {
        row: rows().swap_remove(2),
        settled_at: None,
        upstream_us: None,
        policies: vec![],
        arguments: Content::Text(r#"{"id":"comp_019a9c00000070008000000000000003"}"#.into()),
        result: Content::None,
        exchange: Content::None,
        ..story()
    }
}

/// Everything that somebody outside can choose is hostile.
pub(crate) fn hostile() -> CallStory {
    let bad = || HOSTILE.to_owned();
    let long = format!("{HOSTILE}{}", "A".repeat(10_000));
    let json = |text: &str| {
        format!("{text:?}")
            .replace("\\'", "'")
            .replace("\\u{202e}", "\u{202E}")
            .replace("\\0", "\\u0000")
            .replace("\\u{e0041}", "\u{E0041}")
            .replace("\\u{200d}", "\u{200D}")
    };
    let row = CallRow {
        agent_name: long.clone(),
        owner_name: bad(),
        on_behalf_of_name: Some(bad()),
        unit_name: Some(bad()),
        tool_name: long.chars().take(200).collect(),
        verdict: Verdict::Permit,
        reason: Some(Reason { sentence: long.clone(), ask: Some(bad()), ..denial() }),
        outcome: Some(Outcome::UpstreamError),
        ..row(7, 10_000, "", "", "", "")
    };
    CallStory {
        row,
        unit_path: vec![bad(), bad()],
        credential: Some((bad(), bad())),
        client: Some(bad()),
        protocol: Some(bad()),
        session: Some(bad()),
        address: Some(bad()),
        module_title: Some(bad()),
        policies: vec![bad()],
        arguments: Content::Text(format!("{{{}:{},\"deep\":[{{\"<b>\":1}}]}}", json(HOSTILE), json(&long))),
        exchange: Content::Text(format!("[{}]", serde_json::Value::from(HOSTILE))),
        result: Content::Text(format!(
            r#"{{"content":[{{"type":"text","text":{0}}},{{"type":"resource_link","uri":"javascript:alert(1)"}},{{"type":"image","data":"x","mimeType":{0}}}]}}"#,
            json(HOSTILE)
        )),
        failure: Some(Failure { code: "connect_failed".into(), sentence: bad() }),
        ..story()
    }
}

pub(crate) fn agents() -> Vec<(AgentId, String)> {
    ["Inbox helper", "Meeting notes", "Night auditor", "Outreach drafter", "Pipeline scout", "Report writer"]
        .into_iter()
        .map(|name| (AgentId::from(Uuid::from_u128(name.len() as u128)), name.to_owned()))
        .collect()
}

pub(crate) fn modules() -> Vec<(ModuleId, String)> {
    [("CRM", 1), ("Everything", 2), ("Gmail", 3)]
        .map(|(title, n)| (ModuleId::from(Uuid::from_u128(n)), title.into()))
        .into()
}
