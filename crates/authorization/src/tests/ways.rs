use serde_json::{Value, json};

use super::{ISSUER, MCP, METADATA, Net, RESOURCE, metadata, metadata_with};
use crate::{Challenge, Error, Reach, discover, wanted};

fn hint(url: &str) -> Challenge {
    Challenge { resource_metadata: Some(url.to_owned()), ..Challenge::default() }
}

#[tokio::test]
async fn the_metadata_of_a_server_is_looked_for_where_it_says_then_at_its_path_then_at_its_root() {
    let net = Net::default();
    let document =
        json!({"resource": MCP, "authorization_servers": [ISSUER], "scopes_supported": ["b", "a"]});
    net.put(METADATA, metadata());
    for (place, challenge, asked) in [
        ("https://mcp.example.com/meta", Some(hint("https://mcp.example.com/meta")), 1),
        (&format!("{RESOURCE}/mcp"), Some(Challenge::default()), 1),
        (RESOURCE, None, 2),
    ] {
        net.put(place, document.clone());
        let found = discover(net.reach(), MCP, challenge.as_ref(), None).await.unwrap();
        assert_eq!((found.resource.as_str(), found.scopes.to_string().as_str()), (MCP, "a b"));
        assert_eq!(found.server.issuer, ISSUER);
        let places = net.asked();
        assert_eq!(places.iter().position(|asked| asked == place), Some(asked - 1), "{places:?}");
        assert_eq!(places.len(), asked + 1, "{places:?}");
        net.answer(place, 404, "");
    }
}

#[tokio::test]
async fn a_server_is_what_it_says_it_is_or_a_part_of_it() {
    let net = Net::usual();
    for (resource, is_its) in [
        (MCP, true),
        ("https://mcp.example.com", true),
        ("https://mcp.example.com/", true),
        ("https://mcp.example.com/mcp/", true),
        ("HTTPS://MCP.example.com/mcp", true),
        ("https://mcp.example.com/m", false),
        ("https://mcp.example.com/mcp/more", false),
        ("https://mcp.example.com/mcp?x=1", false),
        ("https://mcp.example.com/mcp#x", false),
        ("https://mcp.example.com:444/mcp", false),
        ("https://u@mcp.example.com/mcp", false),
        ("http://mcp.example.com/mcp", false),
        ("https://evil.example.com/mcp", false),
        ("mcp", false),
    ] {
        net.put(&format!("{RESOURCE}/mcp"), json!({"resource": resource, "authorization_servers": [ISSUER]}));
        net.asked();
        let found = discover(net.reach(), MCP, None, None).await;
        match found {
            // Byte for byte: it is what the token is asked for.
            Ok(found) => assert!(is_its && found.resource == resource, "{resource}"),
            Err(Error::OtherResource { .. }) => {
                assert!(!is_its, "{resource}");
                assert_eq!(net.asked().len(), 1, "nobody else is asked");
            }
            Err(error) => panic!("{resource}: {error}"),
        }
    }
}

#[tokio::test]
async fn metadata_of_an_issuer_is_looked_for_in_order() {
    for (issuer, places) in [
        (
            "https://as.example.com/tenant1",
            vec![
                "https://as.example.com/.well-known/oauth-authorization-server/tenant1",
                "https://as.example.com/.well-known/openid-configuration/tenant1",
                "https://as.example.com/tenant1/.well-known/openid-configuration",
            ],
        ),
        (
            "https://as.example.com/",
            vec![
                "https://as.example.com/.well-known/oauth-authorization-server",
                "https://as.example.com/.well-known/openid-configuration",
            ],
        ),
    ] {
        let net = Net::default();
        net.put(RESOURCE, json!({"resource": "https://mcp.example.com", "authorization_servers": [issuer]}));
        let error = discover(net.reach(), MCP, None, None).await.unwrap_err();
        assert!(matches!(error, Error::NoMetadata { .. }), "{error}");
        assert_eq!(net.asked()[2..], places);
        // A page for people says nothing, wherever it is.
        net.answer(places[0], 200, "<html>");
        net.put(places[1], metadata_with(json!({"issuer": issuer})));
        assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap().server.issuer, issuer);
    }
}

#[tokio::test]
async fn metadata_that_will_not_do_is_refused_in_words() {
    let net = Net::usual();
    for (others, code) in [
        (json!({"issuer": "https://as.example.com/"}), "authorization_other_issuer"),
        (json!({"issuer": "https://evil.example.com"}), "authorization_other_issuer"),
        (json!({"code_challenge_methods_supported": null}), "authorization_no_pkce"),
        (json!({"code_challenge_methods_supported": ["plain"]}), "authorization_no_pkce"),
        (json!({"response_types_supported": ["token"]}), "authorization_no_codes"),
        (json!({"grant_types_supported": ["client_credentials"]}), "authorization_no_codes"),
        (json!({"token_endpoint": null}), "authorization_no_codes"),
        (json!({"token_endpoint": "http://as.example.com/token"}), "authorization_bad_address"),
        (json!({"token_endpoint": "http://127.0.0.1/token"}), "authorization_bad_address"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "authorization_bad_address"),
        (json!({"registration_endpoint": "https://u:p@as.example.com/"}), "authorization_bad_address"),
        (json!({"issuer": 1}), "authorization_no_metadata"),
    ] {
        net.put(METADATA, metadata_with(others.clone()));
        let error = discover(net.reach(), MCP, None, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{others}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_and_nothing_else_is_tried() {
    let net = Net::usual();
    for (status, code) in [
        (500, "authorization_unreachable"),
        (429, "authorization_unreachable"),
        (599, "authorization_unreachable"),
    ] {
        net.answer(&format!("{RESOURCE}/mcp"), status, "");
        net.asked();
        assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap_err().code(), code);
        assert_eq!(net.asked().len(), 1);
    }
    // What the server refers to has to be there.
    let error =
        discover(net.reach(), MCP, Some(&hint("https://mcp.example.com/none")), None).await.unwrap_err();
    assert_eq!(error.code(), "authorization_garbage");
    for bad in ["http://mcp.example.com/x", "file:///etc/passwd", "https://", "https://a#b"] {
        let error = discover(net.reach(), MCP, Some(&hint(bad)), None).await.unwrap_err();
        assert_eq!(error.code(), "authorization_bad_address", "{bad}");
    }
    net.put(&format!("{RESOURCE}/mcp"), json!({"resource": MCP}));
    assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap_err().code(), "authorization_no_issuer");
}

#[tokio::test]
async fn documents_may_be_a_few_redirects_away_and_no_more() {
    let net = Net::usual();
    let (first, second) = (format!("{RESOURCE}/mcp"), "https://www.example.com/meta");
    net.redirect(&first, second);
    net.put(second, json!({"resource": MCP, "authorization_servers": [ISSUER]}));
    assert!(discover(net.reach(), MCP, None, None).await.is_ok());
    net.redirect(second, &first);
    assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap_err().code(), "authorization_garbage");
    net.redirect(&first, "http://www.example.com/meta");
    assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap_err().code(), "authorization_bad_address");
}

#[tokio::test]
async fn a_server_that_publishes_nothing_is_its_own_authorization_server() {
    let net = Net::default();
    let found = discover(net.reach(), "https://mcp.example.com/mcp/?key=k", None, None).await.unwrap();
    assert_eq!(found.resource, "https://mcp.example.com/mcp");
    assert_eq!(found.server.issuer, "https://mcp.example.com");
    assert_eq!(found.server.token_endpoint.as_str(), "https://mcp.example.com/token");
    // With metadata, that counts; of its own, in either spelling.
    let place = "https://mcp.example.com/.well-known/oauth-authorization-server";
    for (issuer, is_its) in
        [("https://mcp.example.com", true), ("https://mcp.example.com/", true), (ISSUER, false)]
    {
        net.put(place, metadata_with(json!({"issuer": issuer, "code_challenge_methods_supported": null})));
        let found = discover(net.reach(), MCP, None, None).await;
        assert_eq!(found.map(|found| found.server.issuer).ok().as_deref(), is_its.then_some(issuer));
    }
    net.put(
        place,
        metadata_with(
            json!({"issuer": "https://mcp.example.com", "code_challenge_methods_supported": ["plain"]}),
        ),
    );
    assert_eq!(discover(net.reach(), MCP, None, None).await.unwrap_err().code(), "authorization_no_pkce");
}

#[tokio::test]
async fn of_several_authorization_servers_the_known_one_is_taken() {
    let net = Net::usual();
    let other = "https://other.example.com";
    net.put(&format!("{RESOURCE}/mcp"), json!({"resource": MCP, "authorization_servers": [ISSUER, other]}));
    net.put(
        &format!("{other}/.well-known/oauth-authorization-server"),
        metadata_with(json!({"issuer": other})),
    );
    for (preferred, taken) in
        [(None, ISSUER), (Some(other), other), (Some("https://gone.example.com"), ISSUER)]
    {
        assert_eq!(discover(net.reach(), MCP, None, preferred).await.unwrap().server.issuer, taken);
    }
}

#[tokio::test]
async fn loopback_needs_no_https_where_that_is_allowed() {
    let net = Net::default();
    for (mcp, may) in
        [("http://localhost:1/mcp", true), ("http://[::1]:1/mcp", true), ("http://10.0.0.1/mcp", false)]
    {
        for loopback in [true, false] {
            let found = discover(Reach { fetch: &net, loopback }, mcp, None, None).await;
            assert_eq!(found.is_ok(), may && loopback, "{mcp}");
        }
    }
}

#[tokio::test]
async fn what_is_asked_for_is_what_the_server_says_and_what_was_given_before() {
    let net = Net::usual();
    let ask = async |supported: Value, known: Value, challenged: Option<&str>, before: &str| {
        net.put(
            &format!("{RESOURCE}/mcp"),
            json!({"resource": MCP, "authorization_servers": [ISSUER], "scopes_supported": supported}),
        );
        net.put(METADATA, metadata_with(json!({"scopes_supported": known})));
        let challenge = challenged
            .map(|scope| Challenge { scope: Some(crate::Scopes::read(scope)), ..Challenge::default() });
        let found = discover(net.reach(), MCP, None, None).await.unwrap();
        wanted(&found, challenge.as_ref(), &crate::Scopes::read(before)).to_string()
    };
    assert_eq!(ask(json!(["all", "some"]), Value::Null, Some("one"), "").await, "one");
    assert_eq!(ask(json!(["all", "some"]), Value::Null, Some("one"), "two").await, "one two");
    assert_eq!(ask(json!(["all", "some"]), Value::Null, None, "").await, "all some");
    assert_eq!(ask(json!(["all"]), Value::Null, Some(""), "").await, "all");
    assert_eq!(ask(Value::Null, Value::Null, None, "").await, "");
    // That it can be renewed is only asked beside something else, and where it is known.
    assert_eq!(ask(Value::Null, json!(["offline_access"]), None, "").await, "");
    assert_eq!(ask(json!(["all"]), json!(["all", "offline_access"]), None, "").await, "all offline_access");
    assert_eq!(ask(json!(["all"]), json!(["all"]), None, "").await, "all");
}
