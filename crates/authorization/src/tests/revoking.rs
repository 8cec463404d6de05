use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth2::{ClientId, ClientSecret};
use serde_json::{Value, json};

use super::tokens::{TOKEN, granted, granted_as};
use super::{METADATA, Net, metadata_with};
use crate::{Access, Given};

const REVOKE: &str = "https://as.example.com/revoke";

/// One that takes back what it gave.
fn taking_back() -> Net {
    let net = Net::usual();
    net.put(METADATA, metadata_with(json!({ "revocation_endpoint": REVOKE })));
    net.answer(REVOKE, 200, "");
    net
}

/// As it is after it has been kept.
fn kept(access: &Access) -> Access {
    serde_json::from_str(&serde_json::to_string(access).unwrap()).unwrap()
}

#[tokio::test]
async fn what_it_can_be_renewed_with_is_given_back_or_else_the_token() {
    let net = taking_back();
    let access = kept(&granted(&net, "a").await.unwrap());
    net.asked();
    assert_eq!(access.revoke(net.reach()).await, Ok(true));
    let (authorization, form) = net.form();
    assert_eq!(net.asked(), [REVOKE]);
    assert_eq!(authorization, None);
    let expected = [("token", "r1"), ("token_type_hint", "refresh_token"), ("client_id", "registered")];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());

    net.put(TOKEN, json!({"access_token": "a1", "token_type": "Bearer"}));
    let access = granted(&net, "a").await.unwrap();
    assert_eq!(access.revoke(net.reach()).await, Ok(true));
    let (_, form) = net.form();
    assert_eq!((form["token"].as_str(), form["token_type_hint"].as_str()), ("a1", "access_token"));
}

#[tokio::test]
async fn a_renewed_one_is_given_back_where_the_first_was_given() {
    let net = taking_back();
    let access = granted(&net, "a").await.unwrap();
    net.put(TOKEN, json!({"access_token": "a2", "token_type": "Bearer", "refresh_token": "r2"}));
    let renewed = kept(&access.refresh(net.reach(), super::at(1)).await.unwrap());
    assert_eq!(renewed.revoke(net.reach()).await, Ok(true));
    assert_eq!(net.form().1["token"], "r2");
}

#[tokio::test]
async fn a_client_says_who_it_is_as_it_did_before() {
    for (method, basic) in [("client_secret_basic", true), ("client_secret_post", false)] {
        let net = taking_back();
        let methods =
            json!({"token_endpoint_auth_methods_supported": [method], "revocation_endpoint": REVOKE});
        net.put(METADATA, metadata_with(methods));
        let (id, secret) = (ClientId::new("i:d".to_owned()), Some(ClientSecret::new("s&t".to_owned())));
        let access = granted_as(&net, Some(&Given { id, secret, issuer: None }), "").await.unwrap();
        assert_eq!(access.revoke(net.reach()).await, Ok(true));
        let (authorization, form) = net.form();
        assert_eq!(authorization, basic.then(|| format!("Basic {}", STANDARD.encode("i%3Ad:s%26t"))));
        assert_eq!(form.get("client_secret").map(String::as_str), (!basic).then_some("s&t"));
        assert_eq!(form.get("client_id").map(String::as_str), (!basic).then_some("i:d"));
    }
}

#[tokio::test]
async fn who_does_not_say_where_is_not_asked() {
    // Not said, not to be used, and of old.
    for endpoint in [Value::Null, json!("http://as.example.com/revoke"), json!("javascript:alert(1)")] {
        let net = Net::usual();
        net.put(METADATA, metadata_with(json!({ "revocation_endpoint": endpoint })));
        let access = granted(&net, "a").await.unwrap();
        net.asked();
        assert_eq!(access.revoke(net.reach()).await, Ok(false));
        assert!(net.asked().is_empty());
    }
    // One that was kept before this was asked for.
    let net = taking_back();
    let mut text = serde_json::to_value(granted(&net, "a").await.unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("revocation_endpoint").unwrap();
    let before: Access = serde_json::from_value(text).unwrap();
    assert_eq!(before.revoke(net.reach()).await, Ok(false));
}

#[tokio::test]
async fn what_is_not_taken_back_says_why_and_whether_to_try_again() {
    for (status, body, code, may_pass) in [
        (
            400,
            r#"{"error":"unsupported_token_type","error_description":"no"}"#,
            "authorization_not_revoked",
            false,
        ),
        (401, r#"{"error":"invalid_client"}"#, "authorization_not_revoked", false),
        (400, "<html>", "authorization_not_revoked", false),
        (404, "", "authorization_unreachable", false),
        (302, "", "authorization_unreachable", false),
        (429, "", "authorization_unreachable", true),
        (503, "", "authorization_unreachable", true),
        (599, "", "authorization_unreachable", true),
    ] {
        let net = taking_back();
        let access = granted(&net, "a").await.unwrap();
        net.answer(REVOKE, status, body);
        let error = access.revoke(net.reach()).await.unwrap_err();
        assert_eq!((error.code(), error.may_pass()), (code, may_pass), "{status} {body}");
        assert!(!error.to_string().contains("r1"), "{error}");
    }
}
