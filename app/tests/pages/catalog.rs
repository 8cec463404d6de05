//! The catalog's pages with hostile definitions: deep, huge, lying in themselves, full of scripts.

use app::pages::catalog::{Query, confirm, module, oauth, table, tool, trial, wizard};
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use app::schema::{Definition, form};
use control::modules::connecting::{Origin, Sent};
use control::modules::drafts::{Draft, DraftState, OfferedTool};
use control::modules::tokens::TokenView;
use control::modules::trial::Identity;
use control::modules::{
    Health, Holder, ModulePage, ModuleRow, ModuleRows, Price, Recent, Standings, ToolDetail, ToolPage,
    ToolRow, ToolRows, Yours,
};
use model::access::Grantee;
use model::call::{Outcome, Verdict};
use model::catalog::{ModuleKind, ModuleStanding, ModuleView, ToolStanding, ToolView};
use model::people::Role;
use model::{Currency, Money};
use uuid::Uuid;

use crate::hostile::is_harmless;
use crate::sample::{self, HOSTILE};

fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

fn price() -> Money {
    Money { amount: "0.0025".parse().unwrap(), currency: Currency::EUR }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A definition with a hostile text in each place that shows one.
fn definition(properties: &str) -> String {
    let bad = json(&format!("{HOSTILE}{}", "W".repeat(10_000)));
    format!(
        r##"{{"name":"evil","title":{bad},"description":{bad},"inputSchema":{{"type":"object","$defs":{{"S":{{"type":"object","properties":{{"me":{{"$ref":"#/$defs/S"}}}}}}}},"required":[{bad}],"properties":{{{bad}:{{"type":"string","description":{bad},"default":{bad},"pattern":{bad},"format":{bad}}},"e":{{"enum":[{bad},null,1]}},"self":{{"$ref":"#/$defs/S"}},"j":{{"type":"array","items":{{"type":"object"}}}},"l":{{"type":"array","items":{{"type":"string"}}}},"t":{{"type":{bad}}}{properties}}}}},"outputSchema":{{"$ref":"javascript:alert(1)"}},"annotations":{{"readOnlyHint":true}}}}"##
    )
}

fn hostile_definitions() -> Vec<String> {
    let many: Vec<String> = (0..500).map(|n| format!(r#","p{n}":{{"type":"string"}}"#)).collect();
    let wide: Vec<String> = (0..9_000).map(|n| format!("\"v{n}\"")).collect();
    let deep = (0..28)
        .fold("{}".to_owned(), |inner, _| format!(r#"{{"type":"object","properties":{{"x":{inner}}}}}"#));
    vec![
        definition(""),
        definition(&many.concat()),
        definition(&format!(r#","wide":{{"enum":[{}]}}"#, wide.join(","))),
        definition(&format!(r#","deep":{deep}"#)),
        definition(
            r##","all":{"allOf":[{"$ref":"#/properties/all"},{"$ref":"#"}]},"one":{"oneOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
        ),
        r##"{"name":"a","inputSchema":{"$ref":"#"}}"##.to_owned(),
        "no JSON at all <script>".to_owned(),
    ]
}

fn view(kind: ModuleKind) -> ModuleView {
    ModuleView {
        id: id(1),
        name: "drive".into(),
        title: HOSTILE.into(),
        kind,
        url: Some(format!("https://example.com/{HOSTILE}")),
        owner: Some(id(2)),
        standing: ModuleStanding::Live,
    }
}

fn tool_view(standing: ToolStanding) -> ToolView {
    ToolView {
        id: id(3),
        module: id(1),
        name: "../../<b>?#%2e".into(),
        key: "drive:read".parse().unwrap(),
        standing,
        price: price(),
    }
}

fn holders() -> Vec<Holder> {
    let holder =
        |grantee| Holder { grantee, name: HOSTILE.into(), key: "drive".parse().unwrap(), expires_at: None };
    vec![
        holder(Grantee::Unit(id(4))),
        holder(Grantee::Role(Role::Member)),
        holder(Grantee::User(id(5))),
        holder(Grantee::Agent(id(6))),
    ]
}

fn yours() -> Yours {
    let keys = vec!["drive:read".parse().unwrap()];
    Yours { keys: keys.clone(), agents: vec![(id(6), HOSTILE.into(), keys)] }
}

fn recent() -> Recent {
    Recent { calls: 12, agents: 2, refused: 3, failed: 1 }
}

fn tool_page(definition: &str, standing: ToolStanding) -> ToolPage {
    ToolPage {
        module: view(ModuleKind::Mcp),
        owner_name: Some(HOSTILE.into()),
        detail: ToolDetail {
            view: tool_view(standing),
            definition: definition.into(),
            seen_definition: (standing == ToolStanding::Drifted).then(|| definition.replace('W', "V")),
            offered: [7; 32],
            approved_at: Some(sample::now()),
            approved_by: Some(HOSTILE.into()),
            withdrawn_by: (standing == ToolStanding::Withdrawn).then(|| HOSTILE.into()),
            key_chosen_by: Some(HOSTILE.into()),
            discovered_at: sample::now(),
            drifted_at: Some(sample::now()),
            timeouts: Default::default(),
        },
        hash: [8; 32],
        prices: vec![
            Price { price: price(), from: sample::now(), by: HOSTILE.into() },
            Price { price: price(), from: sample::before(1_000), by: HOSTILE.into() },
        ],
        holders: holders(),
        recent: recent(),
        yours: yours(),
    }
}

/// What an authorization server says of itself, of us, and of why it is over. Scopes are bounded where they are read.
fn token() -> TokenView {
    TokenView {
        issuer: format!("https://as.example/{HOSTILE}"),
        client: format!("{HOSTILE}{}", "c".repeat(2_000)),
        scopes: ["<script>alert(1)</script>", "javascript:alert(1)", "&amp;"].into_iter().collect(),
        ends_at: Some(sample::now()),
        renewable: false,
        connected_by: HOSTILE.into(),
        connected_at: sample::now(),
        over: Some(format!("{HOSTILE}{}", "o".repeat(1_000))),
        wanted: ["<img/src=x>", "more"].into_iter().collect(),
    }
}

fn module_page(definition: &str) -> ModulePage {
    let row = |standing| ToolRow {
        view: tool_view(standing),
        module_name: "drive".into(),
        module_title: HOSTILE.into(),
        definition: definition.into(),
        offered: (standing != ToolStanding::Approved).then_some([9; 32]),
    };
    let standings = Standings { approved: 1, proposed: 1, drifted: 2, withdrawn: 0 };
    ModulePage {
        token: Some(token()),
        view: view(ModuleKind::Mcp),
        owner: Some((HOSTILE.into(), "x@example.com".into())),
        connection: Some((id(8), sample::now())),
        keys: vec![("drive".parse().unwrap(), HOSTILE.into(), Some(2))],
        holders: holders(),
        standings,
        tools: ToolRows { rows: vec![row(ToolStanding::Approved), row(ToolStanding::Drifted)], total: 2 },
        agents: 3,
        recent: recent(),
        health: Health::NotReached(HOSTILE.into()),
        asked_at: Some(sample::now()),
        yours: yours(),
    }
}

#[test]
fn a_tool_with_any_definition() {
    for text in hostile_definitions() {
        for standing in ToolStanding::ALL {
            let html = tool::page(&sample::visit(), tool_page(&text, *standing), None, &Form::default());
            is_harmless("tool", &html, 0);
            assert!(html.len() < 1_500_000, "a page stays a page: {}", html.len());
        }
    }
    let html = tool::page(
        &sample::visit(),
        tool_page(&definition(""), ToolStanding::Drifted),
        None,
        &Form::default(),
    );
    for said in [
        "/catalog/drive/..%2F..%2F%3Cb%3E%3F%23%252e",
        "⟦U+202E⟧gpj.exe␀",
        "<del>",
        "<ins>",
        "again as above",
        "Only reads",
        "0707070707070707",
    ] {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn lists_modules_and_questions() {
    let rows = ModuleRows {
        rows: vec![ModuleRow {
            view: view(ModuleKind::Mcp),
            owner_name: Some(HOSTILE.into()),
            keys: vec!["drive".parse().unwrap()],
            tools: Standings { approved: 1, proposed: 0, drifted: 1, withdrawn: 0 },
            agents: 3,
            recent: recent(),
            spend: Some(vec![price()]),
            health: Health::NotReached(HOSTILE.into()),
        }],
        total: 200,
        any: true,
    };
    let mut query = Query::default();
    query.asked.text = format!("{HOSTILE}{}", "x".repeat(10_000));
    let html = table::page(&sample::visit(), &query, table::Shown::Modules(rows));
    is_harmless("modules", &html, 0);
    assert!(
        html.contains("drifted") && html.contains("?standing=drifted") && html.contains("Spend this month")
    );
    let empty =
        table::page(&sample::visit(), &Query::default(), table::Shown::Modules(ModuleRows::default()));
    assert!(empty.contains("No service is connected yet") && empty.contains("/catalog/new"));
    let page = module_page(&definition(""));
    let tools = table::Shown::Tools(page.tools.clone());
    is_harmless("tools", &table::page(&sample::visit(), &Query { tools: true, ..query.clone() }, tools), 0);
    let html = module::page(&sample::visit(), &query, page.clone(), None, &Form::default());
    is_harmless("module", &html, 0);
    assert!(
        html.contains(&format!("tool_{}.{}", "0".repeat(31) + "3", "09".repeat(32))),
        "what is approved is what is seen"
    );
    // Who may not change it is offered nothing that changes it.
    let mut visit = sample::visit();
    visit.deeds = vec![control::authority::Deed::ReadCatalog];
    let html = module::page(&visit, &Query::default(), page.clone(), None, &Form::default());
    for unseen in [
        "Switch off",
        "Approve what is ticked",
        "Revoke",
        "Replace",
        "method=\"post\" action=\"/t/brightwater",
    ] {
        assert!(!html.contains(unseen), "{unseen}");
    }
    let wrong = Form::default().with("title", HOSTILE).wrong(vec![FieldError::new("title", "Give a title.")]);
    let one = tool_page(&definition(""), ToolStanding::Approved);
    for html in [
        confirm::off(&sample::visit(), &page),
        confirm::describe(&sample::visit(), &page, &wrong),
        confirm::connection(&sample::visit(), &page, &wrong),
        confirm::revoke_connection(&sample::visit(), &page),
        confirm::withdraw(&sample::visit(), &one),
        confirm::tool_key(&sample::visit(), &one, &wrong),
    ] {
        is_harmless("question", &html, 0);
    }
    assert!(confirm::off(&sample::visit(), &page).contains("3 agents"));
}

#[test]
fn the_way_to_who_gives_access() {
    let visit = sample::visit();
    let page = "/t/brightwater/catalog/drive".to_owned();
    let mut subject = oauth::Subject {
        title: HOSTILE.into(),
        here: format!("{page}/-/oauth"),
        page,
        redirect: format!("https://wa.example/{HOSTILE}"),
        token: Some(token()),
        is_draft: false,
    };
    let typed = Form::default()
        .with("client_id", HOSTILE)
        .with("client_secret", "hunter2")
        .wrong(vec![FieldError::new("client_id", "No.")]);
    for form in [Form::default(), typed] {
        let html = oauth::ask(&visit, &subject, &form);
        is_harmless("ask", &html, 0);
        assert!(!html.contains("hunter2"), "a secret is not sent back");
    }
    subject.token = None;
    subject.is_draft = true;
    is_harmless("ask for a draft", &oauth::ask(&visit, &subject, &Form::default()), 0);
    // The one link that leads away is where the person is told that it does.
    let there = "https://as.example/authorize?a=%22%3E%3Cscript%3E&state=s";
    for (origin, scopes) in [
        (Origin::Given, vec!["<script>alert(1)</script>"]),
        (Origin::Document, vec![]),
        (Origin::Registered, vec!["files"]),
    ] {
        let sent = Sent {
            url: there.parse().unwrap(),
            issuer: format!("https://as.example/{HOSTILE}"),
            client: HOSTILE.into(),
            origin,
            scopes: scopes.into_iter().collect(),
        };
        let html = oauth::leave(&visit, &subject, &sent);
        let link = format!("href=\"{}\"", there.replace('&', "&amp;"));
        assert_eq!(html.matches(&link).count(), 1, "{html}");
        assert!(html.contains("Go on to as.example") && html.contains("rel=\"noreferrer\""));
        is_harmless("leave", &html.replace(&link, "href=\"/there\""), 0);
    }
}

#[test]
fn the_wizard_at_each_step() {
    let visit = sample::visit();
    let built_in = [wizard::BuiltIn { name: "crm", title: "CRM", there: false }];
    let typed = Form::default().with("authorization", "Bearer secret").with("title", HOSTILE);
    let html = wizard::start(&visit, &typed, &built_in, &[(id(1), HOSTILE.into())]);
    is_harmless("start", &html, 0);
    assert!(!html.contains("Bearer secret"), "a secret is not sent back");
    let offered = hostile_definitions()
        .into_iter()
        .map(|definition| OfferedTool {
            name: HOSTILE.into(),
            read_only: true,
            refused: definition.starts_with("no").then(|| HOSTILE.into()),
            definition,
        })
        .collect();
    let mut draft = Draft {
        is_connected: true,
        id: id(1),
        name: "drive".into(),
        title: HOSTILE.into(),
        url: format!("https://example.com/{HOSTILE}"),
        owner: None,
        owner_email: None,
        has_authorization: true,
        state: DraftState::Asking,
        asked_at: sample::now(),
        server: Some((HOSTILE.into(), HOSTILE.into(), HOSTILE.into())),
        seen: vec![HOSTILE.into(); 100],
        offered,
        fingerprint: "f".repeat(64),
    };
    is_harmless("asking", &wizard::draft(&visit, &draft, &Form::default()), 0);
    for code in
        ["upstream_private_address", "upstream_unauthorized", "upstream_timeout", "upstream_garbage", "odd"]
    {
        draft.state = DraftState::Failed { code: code.into(), sentence: HOSTILE.into() };
        is_harmless(code, &wizard::draft(&visit, &draft, &Form::default()), 0);
    }
    draft.is_connected = false;
    draft.state = DraftState::Failed { code: "upstream_unauthorized".into(), sentence: HOSTILE.into() };
    is_harmless("not connected", &wizard::draft(&visit, &draft, &Form::default()), 0);
    draft.state = DraftState::Failed { code: "upstream_private_address".into(), sentence: "x".into() };
    assert!(wizard::draft(&visit, &draft, &Form::default()).contains("allowed_upstream_networks"));
    draft.state = DraftState::Found;
    let html = wizard::draft(&visit, &draft, &Form::default());
    is_harmless("review", &html, 0);
    assert!(html.contains("1 tool") && html.contains("cannot be taken"));
    let typed = Form::default()
        .with("a0", "yes")
        .with("k0", "write")
        .with("p0", "free")
        .wrong(vec![FieldError::new("p0", "No.")]);
    let html = wizard::draft(&visit, &draft, &typed);
    assert!(html.contains("value=\"free\"") && html.contains("id=\"p0-error\""), "what was typed is kept");
}

#[test]
fn trying_a_tool_with_any_definition() {
    for text in hostile_definitions() {
        let fields = form::fields(&Definition::read(&text).input);
        let values = match &fields {
            form::Fields::Some(fields) => {
                let named = form::values(fields, None).into_iter();
                named.map(|(name, _)| (name, format!("</textarea>{HOSTILE}"))).collect()
            }
            form::Fields::Json => vec![("json".to_owned(), HOSTILE.to_owned())],
        };
        let identity = Identity {
            credential: id(1),
            agent: HOSTILE.into(),
            key: (HOSTILE.into(), "wa_3fK9aQ".into()),
            on_behalf_of: Some(HOSTILE.into()),
            owner: HOSTILE.into(),
            own: false,
        };
        let mut story = sample::hostile();
        story.row.verdict = Verdict::Permit;
        story.row.outcome = Some(Outcome::Succeeded);
        let trial = trial::Trial {
            tool: tool_page(&text, ToolStanding::Approved),
            fields,
            as_json: false,
            identities: vec![identity],
            looked_for: HOSTILE.into(),
            form: Form::new(values)
                .wrong(vec![FieldError::new("a0", HOSTILE.replace(['\0', '\u{202E}', '\u{E0041}'], ""))]),
            called: Some(story.clone()),
            waiting: false,
        };
        is_harmless("trial", &trial::page(&sample::visit(), trial.clone()), 0);
        let denied = trial::Trial { called: Some(sample::denied()), as_json: true, ..trial.clone() };
        let html = trial::page(&sample::visit(), denied);
        is_harmless("denied", &html, 0);
        assert!(html.contains("has no crm:write"), "a denial shows its sentence");
        let none = trial::Trial { identities: Vec::new(), looked_for: String::new(), called: None, ..trial };
        assert!(trial::page(&sample::visit(), none).contains("A call needs an agent"));
    }
}
