//! The CRM's pages: forms that keep what was typed, lists in the address, sheets in and out.

use axum::body::Body;
use control::crm::{self, Given};
use control::{modules, users};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ORIGIN};
use http::{Request, StatusCode};
use model::access::Grantee;
use model::crm::Company;
use model::people::Role;
use testkit::{PASSWORD, TestWorld};

use super::{Browser, OURS};

const LIST: &str = "/t/acme/crm/companies";

async fn enabled(world: &TestWorld) {
    modules::enable_native(&world.control, &world.operator, "crm", None).await.unwrap();
}

/// Somebody of a role who is signed in.
async fn person(browser: &Browser, role: Role) -> (Browser, model::UserId) {
    let world = browser.world.clone();
    let email = format!("{role}@acme.example");
    let new = users::NewUser {
        email: email.clone(),
        name: format!("The {role}"),
        home_unit: world.tenant.unit,
        password: Some(PASSWORD.to_owned().into()),
        role: Some(role),
    };
    let user = users::create(&world.control, &world.operator, new).await.unwrap();
    let mut other = browser.stranger();
    other.post("/sign-in", &[("email", &email), ("password", PASSWORD), ("next", "")]).await;
    (other, user)
}

fn upload(path: &str, key: &str, content: &[u8]) -> Request<Body> {
    let mut body = Vec::new();
    body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=\"match_by\"\r\n\r\n");
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(
        b"\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a<b>.csv\"\r\nContent-Type: text/csv\r\n\r\n",
    );
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--x--\r\n");
    Request::post(path)
        .header(ORIGIN, OURS)
        .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
        .body(Body::from(body))
        .unwrap()
}

#[tokio::test]
async fn a_crm_that_is_not_in_use_says_so_to_those_who_could_use_it() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let page = owner.get(LIST).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("The CRM is not in use") && page.text.contains("/t/acme/catalog"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("href=\"/t/acme/crm/companies\""), "no place in the rail");
    let (mut member, user) = person(&owner, Role::Member).await;
    assert_eq!(member.get(LIST).await.status, StatusCode::NOT_FOUND);
    let world = owner.world.clone();
    enabled(&world).await;
    assert_eq!(member.get(LIST).await.status, StatusCode::NOT_FOUND);
    world.grant("crm:read", Grantee::User(user)).await;
    let page = member.get(LIST).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("No companies yet") && !page.text.contains("/new\""),
        "who reads adds nothing"
    );
    for path in ["new", "import", "template"] {
        assert_eq!(member.get(&format!("{LIST}/{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(member.post(&format!("{LIST}/new"), &[("name", "x")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_company_is_added_changed_and_deleted_by_forms() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    enabled(&owner.world.clone()).await;
    let hostile = "<script>alert(1)</script>";
    let page = owner.post(&format!("{LIST}/new"), &[("name", ""), ("notes", hostile)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text.contains("name-error") && page.text.contains("&lt;script&gt;alert(1)"),
        "{}",
        page.text
    );
    assert!(!page.text.contains(hostile));

    let made =
        owner.post(&format!("{LIST}/new"), &[("name", hostile), ("website", "javascript:alert(1)")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER);
    let here = made.leads_to().to_owned();
    let page = owner.get(&here).await;
    assert!(page.text.contains("Olga Owner") && !page.text.contains("href=\"javascript:"), "{}", page.text);
    let saved = owner.post(&format!("{here}/edit"), &[("name", "Acme"), ("website", "acme.example")]).await;
    assert_eq!((saved.status, saved.leads_to()), (StatusCode::SEE_OTHER, here.as_str()));
    let contact = [("name", "Wile"), ("company", "ACME"), ("company_id", "")];
    let contact = owner.post("/t/acme/crm/contacts/new", &contact).await;
    assert_eq!(contact.status, StatusCode::SEE_OTHER);
    let page = owner.get(&format!("{here}/delete")).await;
    assert!(page.text.contains("1 contact") && !page.text.contains("button danger"), "{}", page.text);
    assert_eq!(owner.post(&format!("{here}/delete"), &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    owner.post(&format!("{}/delete", contact.leads_to()), &[]).await;
    assert_eq!(owner.post(&format!("{here}/delete"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(owner.get(&here).await.status, StatusCode::NOT_FOUND);
    for nowhere in ["/t/acme/crm/people", "/t/acme/crm/companies/x", "/t/acme/crm/deals/comp_1/edit"] {
        assert_eq!(owner.get(nowhere).await.status, StatusCode::NOT_FOUND, "{nowhere}");
    }
}

#[tokio::test]
async fn lists_are_in_the_address_and_hostile_addresses_are_said() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let world = owner.world.clone();
    enabled(&world).await;
    for n in 0..51 {
        let given = Given::from([("name".to_owned(), format!("Company {n:02}"))]);
        crm::create::<Company>(&world.control, &world.operator, given).await.unwrap();
    }
    let page = owner.get(LIST).await;
    assert!(
        page.text.contains("Company 00")
            && page.text.contains("?page=1")
            && !page.text.contains("Company 50")
    );
    assert!(owner.get(&format!("{LIST}?page=1")).await.text.contains("Company 50"));
    let found = owner.get(&format!("{LIST}?q=company+07")).await;
    assert!(found.text.contains("Company 07") && !found.text.contains("Company 08"));
    assert!(found.text.contains("/export?q=company+07"));
    assert!(owner.get(&format!("{LIST}?q=nothing")).await.text.contains("Nothing matches"));
    for bad in ["q=%00", "sort=price", "page=4294967295"] {
        let page = owner.get(&format!("{LIST}?{bad}")).await;
        assert!(!page.status.is_server_error(), "{bad}: {}", page.status);
    }
    assert_eq!(owner.get("/t/acme/crm/deals?stage=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_sheet_goes_out_and_comes_back_in() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let world = owner.world.clone();
    enabled(&world).await;
    let given =
        Given::from([("name".to_owned(), "=1+1".to_owned()), ("external_id".to_owned(), "7".to_owned())]);
    crm::create::<Company>(&world.control, &world.operator, given).await.unwrap();
    let sheet = owner.get(&format!("{LIST}/export")).await;
    assert_eq!(sheet.headers[CONTENT_DISPOSITION], "attachment; filename=\"acme-companies.csv\"");
    assert!(sheet.text.contains(",7,'=1+1,"), "{}", sheet.text);
    assert!(owner.get(&format!("{LIST}/export?q=nobody")).await.text.lines().count() == 1);
    let template = owner.get(&format!("{LIST}/template")).await;
    assert_eq!(template.text, "\u{FEFF}external_id,name,website,industry,notes\r\n");

    let import = format!("{LIST}/import");
    let page = owner.page(upload(&import, "external_id", b"external_id,name\n7,Acme\n8,New\n")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let preview = page.leads_to().to_owned();
    let page = owner.get(&preview).await;
    assert!(page.text.contains("1 new, 1 changed") && page.text.contains("a&lt;b&gt;.csv"), "{}", page.text);
    let mark =
        page.text.split("name=\"mark\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (mut admin, _) = person(&owner, Role::Admin).await;
    assert_eq!(admin.get(&preview).await.status, StatusCode::NOT_FOUND, "somebody else's upload");
    assert_eq!(owner.post(&preview, &[("mark", "other")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = owner.post(&preview, &[("mark", &mark)]).await;
    assert_eq!((done.status, done.leads_to()), (StatusCode::SEE_OTHER, LIST));
    assert_eq!(owner.get(&preview).await.status, StatusCode::NOT_FOUND, "once");
    assert!(owner.get(LIST).await.text.contains("New"));

    let page = owner.page(upload(&import, "external_id", b"external_id,name\n9,\n")).await;
    let page = owner.get(page.leads_to()).await;
    assert!(page.text.contains("Give its name") && !page.text.contains("name=\"mark\""), "{}", page.text);
    for (key, content) in
        [("external_id", &b"\xff"[..]), ("website", b"name\nx"), ("god", b"name\nx"), ("name", b"")]
    {
        let page = owner.page(upload(&import, key, content)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{key}");
        assert!(page.text.contains("error-summary"));
    }
    let large = vec![b'x'; 5 * 1024 * 1024 + 1];
    assert_eq!(owner.page(upload(&import, "name", &large)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let larger = vec![b'x'; 6 * 1024 * 1024];
    let page = owner.page(upload(&import, "name", &larger)).await;
    assert!(page.status.is_client_error(), "{}", page.status);
}
