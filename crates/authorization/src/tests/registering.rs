use oauth2::{ClientId, ClientSecret};
use serde_json::{Value, json};
use url::Url;

use super::{ISSUER, MCP, METADATA, Net, application, at, metadata_with};
use crate::{Client, Error, Given, Method, Origin, discover, document, register};

const REGISTER: &str = "https://as.example.com/register";

async fn registered(net: &Net, given: Option<&Given>, known: Option<&Client>) -> Result<Client, Error> {
    let found = discover(net.reach(), MCP, None, None).await.unwrap();
    net.asked();
    register(net.reach(), &found.server, &application(), given, known, at(0)).await
}

fn given(secret: Option<&str>, issuer: Option<&str>) -> Given {
    Given {
        id: ClientId::new("mine".to_owned()),
        secret: secret.map(|secret| ClientSecret::new(secret.to_owned())),
        issuer: issuer.map(str::to_owned),
    }
}

#[tokio::test]
async fn it_registers_once_and_says_what_it_is() {
    let net = Net::usual();
    let client = registered(&net, None, None).await.unwrap();
    assert_eq!(
        (client.id.as_str(), client.method, client.origin),
        ("registered", Method::None, Origin::Registered)
    );
    assert_eq!(
        net.json(),
        json!({"client_name": "WorkingAgents", "redirect_uris": ["https://wa.example.com/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none", "application_type": "web"})
    );
    assert_eq!(registered(&net, None, Some(&client)).await.unwrap().id, client.id);
    assert!(net.asked().is_empty());
    // What another one knows is nothing here.
    for other in [
        Client { issuer: "https://other.example.com".to_owned(), ..client.clone() },
        Client { secret_ends: Some(at(0)), ..client.clone() },
        Client { redirect: Url::parse("https://moved.example.com/").unwrap(), ..client.clone() },
    ] {
        registered(&net, None, Some(&other)).await.unwrap();
        assert_eq!(net.asked(), [REGISTER]);
    }
}

#[tokio::test]
async fn it_proves_who_it_is_as_the_authorization_server_wants() {
    let net = Net::usual();
    for (theirs, answer, method) in [
        (
            json!(["client_secret_post", "client_secret_basic"]),
            json!({"client_secret": "s"}),
            Some(Method::Basic),
        ),
        (json!(["client_secret_post", "none"]), json!({"client_secret": "s"}), Some(Method::Post)),
        (Value::Null, json!({"client_secret": "s", "client_secret_expires_at": 0}), Some(Method::Basic)),
        (
            Value::Null,
            json!({"client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}),
            Some(Method::Post),
        ),
        (
            Value::Null,
            json!({"client_secret": "s", "token_endpoint_auth_method": "none"}),
            Some(Method::None),
        ),
        (Value::Null, json!({}), Some(Method::None)),
        (Value::Null, json!({"client_secret": "s", "token_endpoint_auth_method": "private_key_jwt"}), None),
        (json!(["private_key_jwt"]), json!({"client_secret": "s"}), None),
    ] {
        net.put(METADATA, metadata_with(json!({"token_endpoint_auth_methods_supported": theirs})));
        let mut answer = answer;
        answer["client_id"] = json!("x");
        net.put(REGISTER, answer.clone());
        match (registered(&net, None, None).await, method) {
            (Ok(client), Some(method)) => {
                assert_eq!(client.method, method, "{theirs} {answer}");
                assert_eq!(client.secret.is_some(), method != Method::None);
            }
            (Err(Error::UnknownMethod { .. }), None) => {}
            (other, _) => panic!("{theirs} {answer}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told() {
    let net = Net::usual();
    for (status, body, told) in [
        (
            400,
            r#"{"error":"invalid_redirect_uri","error_description":"only\nours"}"#,
            "onlyours (invalid_redirect_uri)",
        ),
        (401, "{}", "HTTP status 401"),
        (500, "<html>", "HTTP status 500"),
        (201, "{}", "its answer cannot be read"),
        (201, r#"{"client_id":""}"#, "cannot be used"),
    ] {
        net.answer(REGISTER, status, body);
        let error = registered(&net, None, None).await.unwrap_err();
        assert!(
            matches!(error, Error::RegistrationRefused { .. }) && error.to_string().contains(told),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_client_that_was_given_is_used_where_it_belongs() {
    let net = Net::usual();
    net.put(METADATA, metadata_with(json!({"token_endpoint_auth_methods_supported": null})));
    for issuer in [None, Some(ISSUER)] {
        let client = registered(&net, Some(&given(Some("s"), issuer)), None).await.unwrap();
        assert_eq!(
            (client.id.as_str(), client.method, client.issuer.as_str()),
            ("mine", Method::Basic, ISSUER)
        );
    }
    assert!(net.asked().is_empty());
    let error =
        registered(&net, Some(&given(None, Some("https://other.example.com"))), None).await.unwrap_err();
    assert!(matches!(error, Error::ClientOfAnother { .. }), "{error}");
    assert_eq!(registered(&net, Some(&given(None, None)), None).await.unwrap().method, Method::None);
}

#[tokio::test]
async fn a_document_about_us_goes_before_a_registration() {
    let net = Net::usual();
    net.put(METADATA, metadata_with(json!({"client_id_metadata_document_supported": true})));
    let found = discover(net.reach(), MCP, None, None).await.unwrap();
    let url = "https://wa.example.com/oauth/client.json";
    let mut application = application();
    application.document = Some(Url::parse(url).unwrap());
    net.asked();
    let client = register(net.reach(), &found.server, &application, None, None, at(0)).await.unwrap();
    assert_eq!((client.id.as_str(), client.origin), (url, Origin::Document));
    assert!(net.asked().is_empty());
    let document = document(&application);
    assert_eq!(
        (&document["client_id"], &document["token_endpoint_auth_method"]),
        (&json!(url), &json!("none"))
    );
    assert_eq!(document["redirect_uris"], json!(["https://wa.example.com/oauth/callback"]));
}

#[tokio::test]
async fn without_any_way_to_become_known_it_says_what_to_do() {
    let net = Net::usual();
    net.put(METADATA, metadata_with(json!({"registration_endpoint": null})));
    let error = registered(&net, None, None).await.unwrap_err();
    assert!(error.to_string().contains("https://wa.example.com/oauth/callback"), "{error}");
}
