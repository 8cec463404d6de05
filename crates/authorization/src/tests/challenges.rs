use http::HeaderMap;

use crate::Challenge;

fn read(values: &[&str]) -> Option<Challenge> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("www-authenticate", value.parse().unwrap());
    }
    Challenge::read(&headers)
}

#[test]
fn a_challenge_is_found_among_others() {
    let full = Challenge {
        resource_metadata: Some("https://mcp.example.com/meta?a=1,2".to_owned()),
        scope: Some(["files:read", "files:write"].into_iter().collect()),
        error: Some("insufficient_scope".to_owned()),
        description: Some("say \"please\", twice".to_owned()),
    };
    let said = r#"scope="files:write  files:read", resource_metadata="https://mcp.example.com/meta?a=1,2",error=insufficient_scope , error_description = "say \"please\", twice""#;
    for values in [
        vec![format!("Bearer {said}")],
        vec![format!("bearer realm=\"a\\\"b\", {said}")],
        vec!["Basic realm=\"x\"".to_owned(), format!("BEARER {said}")],
        vec![format!("Negotiate YWJj==, Bearer {said}, Basic realm=\"scope\"")],
        vec![format!("DPoP algs=\"ES256\", scope=\"other\", Bearer {said}, DPoP error=\"x\", scope=\"y\"")],
    ] {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(read(&values), Some(full.clone()), "{values:?}");
    }
    assert!(full.wants_more());
    // The first counts.
    assert_eq!(read(&[r#"Bearer error="a", error="b""#]).unwrap().error.as_deref(), Some("a"));
}

#[test]
fn what_is_none_is_none() {
    assert_eq!(read(&["Bearer"]), Some(Challenge::default()));
    assert_eq!(
        read(&["Bearer resource_metadata=https://a.example/m, scope=x"])
            .unwrap()
            .resource_metadata
            .as_deref(),
        Some("https://a.example/m")
    );
    for values in [
        &[][..],
        &["Basic realm=\"Bearer\""],
        &["Negotiate"],
        &["Negotiate YWJj="],
        &["=, Bearer"],
        &["Bearer scope=\"never ends"],
        &["Bearer scope=\"ends in \\"],
    ] {
        assert_eq!(read(values), None, "{values:?}");
    }
    let long = format!("Bearer scope=\"{}\"", "a ".repeat(5_000));
    assert_eq!(read(&[&long]), None);
}

#[test]
fn a_scope_is_what_may_be_one() {
    let challenge = read(&["Bearer scope=\"a \\\"b\\\" c\\\\d e\""]).unwrap();
    assert_eq!(challenge.scope.unwrap().to_string(), "a e");
}
