//! Limits, from an empty page to one that is taken away; and the timeouts of a tool.

use control::limits::{self, About};
use control::modules;
use http::StatusCode;

use super::Browser;

const LIMITS: &str = "/t/acme/settings/limits";

#[tokio::test]
async fn a_limit_is_set_shown_with_its_use_changed_and_taken_away() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let (control, operator) = (owner.world.control.clone(), owner.world.operator.clone());
    let (agent, _) = owner.world.agent("Scout <b>").await;
    let page = owner.get(LIMITS).await;
    assert!(page.text.contains("Nothing is limited yet"), "{}", page.text);

    // Agent and tool are named by the pages that lead here.
    let agents = owner.get(&format!("/t/acme/people/agents/{agent}")).await;
    let at = format!("{LIMITS}/new?whose={agent}");
    assert!(agents.text.contains(&at), "{}", agents.text);
    let form = owner.get(&at).await;
    assert!(form.text.contains("Agent Scout &lt;b&gt;") && !form.text.contains("<b>"), "{}", form.text);

    // What is wrong is said beside its field, and what was typed is kept.
    let agent_id = agent.to_string();
    let wrong = |calls: &'static str, per: &'static str, burst: &'static str| {
        let whose = agent_id.clone();
        [
            ("whose", whose),
            ("what", "everything".into()),
            ("each_agent", "no".into()),
            ("calls", calls.into()),
            ("per", per.into()),
            ("burst", burst.into()),
        ]
    };
    for (fields, error) in [
        (wrong("many", "minute", ""), "calls-error"),
        (wrong("0", "minute", ""), "calls-error"),
        (wrong("10", "fortnight", ""), "per-error"),
        (wrong("10", "minute", "11"), "burst-error"),
        (wrong("10", "day", "9"), "burst-error"),
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = owner.post(&format!("{LIMITS}/new"), &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains(&format!("id=\"{error}\"")), "{error}: {}", page.text);
        assert!(page.text.contains("Agent Scout &lt;b&gt;"), "the agent is still chosen");
    }
    let fields = wrong("1,000", "hour", "50");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let set = owner.post(&format!("{LIMITS}/new"), &fields).await;
    assert_eq!((set.status, set.leads_to()), (StatusCode::SEE_OTHER, LIMITS));
    let page = owner.get(LIMITS).await;
    for said in
        ["1,000 calls an hour, at most 50 at once", "0 of 50 at present", "Olga Owner", "Scout &lt;b&gt;"]
    {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let again = owner.post(&format!("{LIMITS}/new"), &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text.contains("There is a limit of the same calls"), "{}", again.text);

    let row = limits::list(&control, &operator, About::Agent(agent)).await.unwrap().remove(0);
    let one = format!("{LIMITS}/{}", row.id);
    assert!(owner.get(&format!("/t/acme/people/agents/{agent}")).await.text.contains(&one));
    let change = [("calls", "2000"), ("per", "hour"), ("burst", "")];
    let form = owner.get(&one).await;
    assert!(form.text.contains("value=\"1000\"") && form.text.contains("value=\"50\""), "{}", form.text);
    assert_eq!(owner.post(&one, &change).await.status, StatusCode::SEE_OTHER);
    assert!(owner.get(LIMITS).await.text.contains("2,000 calls an hour<"));
    assert_eq!(
        owner.post(&one, &[("calls", "x"), ("per", "hour")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let ask = owner.get(&format!("{one}/remove")).await;
    assert!(ask.text.contains("any number of calls of all tools"), "{}", ask.text);
    assert_eq!(owner.post(&format!("{one}/remove"), &[]).await.leads_to(), LIMITS);
    assert_eq!(owner.get(&one).await.status, StatusCode::NOT_FOUND);
    let record = owner.get("/t/acme/settings/record").await;
    for said in ["Limit: set", "Limit: changed", "Limit: removed"] {
        assert!(record.text.contains(said), "{said}");
    }
}

#[tokio::test]
async fn a_tool_and_its_module_show_what_limits_them() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let (control, operator) = (owner.world.control.clone(), owner.world.operator.clone());
    let tool = modules::find_tool(&control, &operator, "notes.read_note").await.unwrap();
    let form = owner.get(&format!("{LIMITS}/new?what={}", tool.id)).await;
    assert!(form.text.contains(">notes.read_note<"), "{}", form.text);
    let (what, module) = (tool.id.to_string(), tool.module.to_string());
    for (what, calls) in [(&what, "7"), (&module, "500")] {
        let fields = [
            ("whose", "everybody"),
            ("what", what),
            ("each_agent", "yes"),
            ("calls", calls),
            ("per", "day"),
            ("burst", ""),
        ];
        assert_eq!(owner.post(&format!("{LIMITS}/new"), &fields).await.status, StatusCode::SEE_OTHER);
    }
    let page = owner.get("/t/acme/catalog/notes/read_note").await.text;
    for said in ["7 calls a day", "500 calls a day", "0 of 7 today", "Each agent, of notes.read_note"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let module = owner.get("/t/acme/catalog/notes").await.text;
    assert!(module.contains("7 calls a day") && module.contains("500 calls a day"), "{module}");
    let other = owner.get("/t/acme/catalog/notes/write_note").await.text;
    assert!(!other.contains("7 calls a day") && other.contains("500 calls a day"), "{other}");
}

#[tokio::test]
async fn the_timeouts_of_a_tool_are_set_on_its_page() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let page = "/t/acme/catalog/notes/read_note";
    assert!(owner.get(page).await.text.contains("To the end of its answer: as everywhere."));
    let at = format!("{page}/timeouts");
    for (total, first, error) in
        [("soon", "", "total-error"), ("0", "", "total-error"), ("5", "9", "first_byte-error")]
    {
        let wrong = owner.post(&at, &[("timeouts", "yes"), ("total", total), ("first_byte", first)]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains(&format!("id=\"{error}\"")), "{error}: {}", wrong.text);
        assert!(wrong.text.contains(&format!("value=\"{total}\"")), "what was typed is kept");
    }
    let set = owner.post(&at, &[("timeouts", "yes"), ("total", " 120 "), ("first_byte", "10")]).await;
    assert_eq!((set.status, set.leads_to()), (StatusCode::SEE_OTHER, page));
    let said = owner.get(page).await.text;
    assert!(
        said.contains("To the end of its answer: 120 s. Until it begins, connecting included: 10 s."),
        "{said}"
    );
    assert!(said.contains("value=\"120\"") && said.contains("value=\"10\""));
    // What is wrong with the price is no business of these.
    let wrong = owner.post(&format!("{page}/price"), &[("price", "x")]).await;
    assert!(
        wrong.text.contains("id=\"price-error\"") && wrong.text.contains("value=\"120\""),
        "{}",
        wrong.text
    );
    let cleared = owner.post(&at, &[("timeouts", "yes"), ("total", ""), ("first_byte", "")]).await;
    assert_eq!(cleared.status, StatusCode::SEE_OTHER);
}
