use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oauth2::{ClientId, ClientSecret};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{ISSUER, MCP, METADATA, Net, ambient, application, at, metadata_with};
use crate::{Access, Error, Given, Pending, Returned, Scopes, begin, discover, redeem, register};

pub(super) const TOKEN: &str = "https://as.example.com/token";

async fn begun(net: &Net, given: Option<&Given>, scopes: &str) -> (HashMap<String, String>, Pending) {
    let found = discover(net.reach(), MCP, None, None).await.unwrap();
    let client = register(net.reach(), &found.server, &application(), given, None, at(0)).await.unwrap();
    let (url, pending) = begin(&ambient(), &found, client, Scopes::read(scopes));
    assert!(url.as_str().starts_with("https://as.example.com/authorize?kept=1&"), "{url}");
    // It is kept sealed meanwhile.
    let kept = serde_json::to_string(&pending).unwrap();
    (url.query_pairs().into_owned().collect(), serde_json::from_str(&kept).unwrap())
}

fn returned(parameters: &[(&str, &str)]) -> Returned {
    Returned::read(Url::parse_with_params("https://x.example", parameters).unwrap().query().unwrap())
}

pub(super) async fn granted(net: &Net, scopes: &str) -> Result<Access, Error> {
    granted_as(net, None, scopes).await
}

pub(super) async fn granted_as(net: &Net, given: Option<&Given>, scopes: &str) -> Result<Access, Error> {
    let (sent, pending) = begun(net, given, scopes).await;
    redeem(
        net.reach(),
        at(0),
        pending,
        returned(&[("code", "c"), ("state", &sent["state"]), ("iss", ISSUER)]),
    )
    .await
}

#[tokio::test]
async fn a_code_becomes_a_token_that_is_for_the_server_alone() {
    let net = Net::usual();
    let (sent, pending) = begun(&net, None, "b a").await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "registered"),
        ("redirect_uri", "https://wa.example.com/oauth/callback"),
        ("scope", "a b"),
        ("resource", MCP),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(sent[name], value);
    }
    assert_eq!(sent.get("prompt"), None);
    assert!(!format!("{pending:?}").contains(&sent["state"]));
    let answer = returned(&[("code", "c 1"), ("state", &sent["state"]), ("iss", ISSUER), ("extra", "1")]);
    let grant = redeem(net.reach(), at(0), pending, answer).await.unwrap();
    let (authorization, form) = net.form();
    assert_eq!(authorization, None);
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "c 1"),
        ("client_id", "registered"),
        ("redirect_uri", "https://wa.example.com/oauth/callback"),
        ("resource", MCP),
    ] {
        assert_eq!(form[name], value);
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    assert_eq!(challenge, sent["code_challenge"]);
    assert_eq!(grant.authorization().expose_secret(), "Bearer a1");
    assert_eq!((grant.ends, grant.scopes.to_string().as_str()), (Some(at(60)), "a b"));
    assert!(!format!("{grant:?}").contains("a1") && !format!("{grant:?}").contains("r1"));
}

#[tokio::test]
async fn an_answer_that_is_not_to_our_question_is_not_used() {
    let net = Net::usual();
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("code", "c"), ("iss", ISSUER)], "authorization_other_state"),
        (&[("code", "c"), ("iss", ISSUER), ("state", "x")], "authorization_other_state"),
        (&[("code", "c"), ("iss", ISSUER), ("state", "S"), ("code", "d")], "authorization_other_state"),
        (&[("code", "c"), ("state", "S")], "authorization_answer_of_another"),
        (
            &[("code", "c"), ("state", "S"), ("iss", "https://as.example.com/")],
            "authorization_answer_of_another",
        ),
        (
            &[("code", "c"), ("state", "S"), ("iss", "https://AS.example.com")],
            "authorization_answer_of_another",
        ),
        // Who it is not from has nothing to say.
        (
            &[("error", "access_denied"), ("state", "S"), ("iss", "https://evil.example.com")],
            "authorization_answer_of_another",
        ),
        (&[("error", "access_denied"), ("state", "S"), ("iss", ISSUER)], "authorization_declined"),
        (&[("state", "S"), ("iss", ISSUER)], "authorization_no_code"),
        (&[("code", ""), ("state", "S"), ("iss", ISSUER)], "authorization_no_code"),
    ];
    for (parameters, code) in cases {
        let (sent, pending) = begun(&net, None, "").await;
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, if *value == "S" { sent["state"].as_str() } else { *value }))
            .collect();
        net.asked();
        let error = redeem(net.reach(), at(0), pending, returned(&parameters)).await.unwrap_err();
        assert_eq!(error.code(), *code, "{parameters:?}: {error}");
        assert!(net.asked().is_empty(), "the code went out: {parameters:?}");
    }
    // One that does not promise to say whose its answers are may leave it out, and not say another.
    net.put(METADATA, metadata_with(json!({"authorization_response_iss_parameter_supported": null})));
    for (iss, is_used) in [(None, true), (Some(ISSUER), true), (Some("https://evil.example.com"), false)] {
        let (sent, pending) = begun(&net, None, "").await;
        let mut parameters = vec![("code", "c"), ("state", sent["state"].as_str())];
        parameters.extend(iss.map(|iss| ("iss", iss)));
        assert_eq!(
            redeem(net.reach(), at(0), pending, returned(&parameters)).await.is_ok(),
            is_used,
            "{iss:?}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_presented_as_it_was_agreed() {
    for (method, basic) in [("client_secret_basic", true), ("client_secret_post", false)] {
        let net = Net::usual();
        net.put(METADATA, metadata_with(json!({"token_endpoint_auth_methods_supported": [method]})));
        let given = Given {
            id: ClientId::new("i:d".to_owned()),
            secret: Some(ClientSecret::new("s&t".to_owned())),
            issuer: None,
        };
        let (sent, pending) = begun(&net, Some(&given), "").await;
        assert_eq!(sent.get("scope"), None);
        let answer = returned(&[("code", "c"), ("state", &sent["state"]), ("iss", ISSUER)]);
        redeem(net.reach(), at(0), pending, answer).await.unwrap();
        let (authorization, form) = net.form();
        let expected = basic.then(|| format!("Basic {}", STANDARD.encode("i%3Ad:s%26t")));
        assert_eq!(authorization, expected);
        assert_eq!(form.get("client_secret").map(String::as_str), (!basic).then_some("s&t"));
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_presented_is_refused() {
    let net = Net::usual();
    for (answer, code) in [
        (json!({"access_token": "a", "token_type": "DPoP"}), "authorization_bad_token"),
        (json!({"access_token": "a\r\nX: y", "token_type": "bearer"}), "authorization_bad_token"),
        (json!({"access_token": "", "token_type": "bearer"}), "authorization_bad_token"),
        (json!({"access_token": "a".repeat(9_000), "token_type": "bearer"}), "authorization_bad_token"),
        (json!({"token_type": "bearer"}), "authorization_garbage"),
        (json!({"errors": "invalid_client"}), "authorization_garbage"),
        (json!({"error": "bad_verification_code", "error_description": "x"}), "authorization_token_refused"),
    ] {
        net.put(TOKEN, answer.clone());
        assert_eq!(granted(&net, "").await.unwrap_err().code(), code, "{answer}");
    }
    net.put(
        TOKEN,
        json!({"access_token": "a", "token_type": "bEaReR", "expires_in": u64::MAX, "scope": "x y"}),
    );
    let grant = granted(&net, "a").await.unwrap();
    assert_eq!((grant.scopes.to_string().as_str(), grant.can_be_renewed()), ("x y", false));
    assert!(grant.ends.is_some());
}

#[tokio::test]
async fn what_was_granted_is_renewed_until_it_is_over() {
    let net = Net::usual();
    let grant = granted(&net, "a").await.unwrap();
    net.put(
        TOKEN,
        json!({"access_token": "a2", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r2"}),
    );
    let renewed = grant.refresh(net.reach(), at(100)).await.unwrap();
    let (_, form) = net.form();
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("refresh_token", "r1"),
        ("resource", MCP),
        ("client_id", "registered"),
    ] {
        assert_eq!(form[name], value);
    }
    assert_eq!((renewed.authorization().expose_secret(), renewed.ends), ("Bearer a2", Some(at(160))));
    // One that is not replaced stays, and so do the scopes.
    net.put(TOKEN, json!({"access_token": "a3", "token_type": "Bearer"}));
    let renewed = renewed.refresh(net.reach(), at(200)).await.unwrap();
    assert_eq!((renewed.scopes.to_string().as_str(), renewed.ends), ("a", None));
    let kept: Access = serde_json::from_str(&serde_json::to_string(&renewed).unwrap()).unwrap();
    kept.refresh(net.reach(), at(300)).await.unwrap();
    assert_eq!(net.form().1["refresh_token"], "r2");
    for (status, body, is_over) in [
        (400, json!({"error": "invalid_grant", "error_description": "revoked"}), true),
        (401, json!({"error": "invalid_client"}), true),
        // As GitHub says it.
        (200, json!({"error": "bad_refresh_token", "error_description": "it is expired"}), true),
        (200, json!({"error": "slow_down"}), false),
        (400, json!({"error": "temporarily_unavailable"}), false),
        (503, json!("down"), false),
        (599, Value::Null, false),
    ] {
        net.answer(TOKEN, status, &body.to_string());
        let error = renewed.refresh(net.reach(), at(300)).await.unwrap_err();
        assert_eq!(error.is_over(), is_over, "{error}");
    }
    net.put(TOKEN, json!({"access_token": "a", "token_type": "bearer"}));
    let never = granted(&net, "").await.unwrap().refresh(net.reach(), at(0)).await.unwrap_err();
    assert!(never.is_over(), "{never}");
}

#[tokio::test]
async fn to_renew_has_to_be_agreed_to() {
    let net = Net::usual();
    assert_eq!(begun(&net, None, "a offline_access").await.0["prompt"], "consent");
}
