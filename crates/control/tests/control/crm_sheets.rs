//! The CRM's sheets: what was exported can be imported, and an import says first what comes of it.

use crate::clerk::{enabled, given};
use crate::outside::{audit, invalid, not_there, refused, with_role};
use control::crm::sheets::{self, Effect, Plan};
use control::crm::{self, Filter, Key};
use control::{Actor, modules};
use model::crm::{Company, Contact, Deal, Interaction};
use model::people::Role;
use testkit::TestWorld;

async fn sheet_of<R: crm::Record>(world: &TestWorld, actor: &Actor) -> String {
    use futures::TryStreamExt as _;
    let pieces: Vec<bytes::Bytes> = sheets::export::<R>(&world.control, actor, Filter::default())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

/// Uploads and applies a file of which every row is right.
async fn imported<R: crm::Record>(world: &TestWorld, actor: &Actor, key: Key, text: &str) -> Plan {
    let control = &world.control;
    let import = sheets::upload::<R>(control, actor, key, "file.csv", text.as_bytes()).await.unwrap();
    let plan = sheets::plan::<R>(control, actor, import).await.unwrap();
    assert_eq!(plan.wrong, []);
    sheets::apply::<R>(control, actor, import, &plan.mark).await.unwrap()
}

fn counts(plan: &Plan) -> (usize, usize, usize) {
    let count = |what: fn(&Effect) -> bool| plan.count(what);
    (
        count(|effect| *effect == Effect::Create),
        count(|effect| matches!(effect, Effect::Update(_))),
        count(|effect| *effect == Effect::Skip),
    )
}

#[tokio::test]
async fn what_was_exported_can_be_imported_and_is_the_same() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let hostile = ["=1+1", "+49 30 1", "'=x", "-a, \"b\"", "@c\nd", "Zürich; \"AG\"", "<b>\u{202E}", "'"];
    for (n, text) in hostile.iter().enumerate() {
        let (number, one_line) = (n.to_string(), text.replace('\n', " "));
        let fields =
            [("name", one_line.as_str()), ("notes", text), ("external_id", &number), ("industry", &one_line)];
        let company = crm::create::<Company>(control, &admin, given(&fields)).await.unwrap().to_string();
        let fields =
            [("name", one_line.as_str()), ("company_id", &company), ("phone", &one_line), ("notes", text)];
        let contact = crm::create::<Contact>(control, &admin, given(&fields)).await.unwrap().to_string();
        let fields =
            [("name", one_line.as_str()), ("company_id", &company), ("amount", "1.5"), ("currency", "EUR")];
        crm::create::<Deal>(control, &admin, given(&fields)).await.unwrap();
        let fields = [
            ("contact_id", contact.as_str()),
            ("kind", "note"),
            ("summary", text),
            ("at", "2026-01-01T10:00"),
        ];
        crm::create::<Interaction>(control, &admin, given(&fields)).await.unwrap();
    }
    let sheets = [
        sheet_of::<Company>(&world, &admin).await,
        sheet_of::<Contact>(&world, &admin).await,
        sheet_of::<Deal>(&world, &admin).await,
        sheet_of::<Interaction>(&world, &admin).await,
    ];
    let [companies, contacts, deals, interactions] = &sheets;
    for text in &sheets {
        for record in csv::ReaderBuilder::new().from_reader(text.as_bytes()).records() {
            for cell in record.unwrap().iter() {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?} would be run");
            }
        }
    }
    // All is there as it is: nothing changes.
    assert_eq!(counts(&imported::<Company>(&world, &admin, Key::Id, companies).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Contact>(&world, &admin, Key::Id, contacts).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Deal>(&world, &admin, Key::Id, deals).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Interaction>(&world, &admin, Key::Id, interactions).await), (0, 0, 8));
    // In an organization that has nothing yet, by the ids in another system, the same comes about.
    let without_id = |text: &str| -> String {
        let lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).into_records();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in lines {
            let cells: Vec<String> = record.unwrap().iter().skip(1).map(str::to_owned).collect();
            writer.write_record(&cells).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    };
    let (other, stranger) = world.another_tenant("other").await;
    modules::enable_native(control, &stranger, "crm", None).await.unwrap();
    let olga = control::sign_in::actor(control, other.tenant, other.owner).await.unwrap().unwrap();
    let plan = imported::<Company>(&world, &olga, Key::ExternalId, &without_id(companies)).await;
    assert_eq!(counts(&plan), (8, 0, 0));
    // Ids of one instant have no order: neither have the rows.
    let sorted = |text: String| {
        let mut rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(text.as_bytes()).into_records().map(Result::unwrap).collect();
        rows.sort_by(|a, b| a.iter().cmp(b.iter()));
        rows
    };
    assert_eq!(sorted(without_id(&sheet_of::<Company>(&world, &olga).await)), sorted(without_id(companies)));
    // Ids are of one organization: there they are nothing.
    let import =
        sheets::upload::<Company>(control, &olga, Key::Id, "x.csv", companies.as_bytes()).await.unwrap();
    assert_eq!(sheets::plan::<Company>(control, &olga, import).await.unwrap().wrong.len(), 8);
}

#[tokio::test]
async fn an_import_says_first_what_comes_of_it_and_then_does_just_that() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    crm::create::<Company>(
        control,
        &admin,
        given(&[("name", "Acme"), ("website", "https://www.acme.example/x"), ("notes", "kept")]),
    )
    .await
    .unwrap();
    // Columns in any order and case, one that nothing is made of, semicolons as spreadsheets write them.
    let text =
        "\u{FEFF}Website;NAME;Colour\nacme.example;Acme GmbH;red\nnew.example;New;\n\n;Nameless domain;\n";
    let plan = imported::<Company>(&world, &admin, Key::Domain, text).await;
    assert_eq!((counts(&plan), plan.ignored.clone()), ((2, 1, 0), vec!["colour".to_owned()]));
    assert_eq!(plan.rows[0].effect, Effect::Update(vec!["name", "website"]));
    let listing = crm::list::<Company>(control, &admin, &Filter::default(), 0, 10).await.unwrap();
    let acme = &listing.lines[0].record;
    assert_eq!(
        (acme.name.as_str(), acme.notes.as_deref()),
        ("Acme GmbH", Some("kept")),
        "no column, no change"
    );
    let events = audit(&world).await;
    let said = |event: &str| events.iter().any(|it| it == event);
    assert!(said("user Abel company.update: Acme GmbH") && said("user Abel company.create: New"));
    assert!(said("user Abel crm.import: file.csv"));

    // An empty cell clears; what is wrong is said by line and column, and then nothing is done.
    let text = "email,name,company,notes\n\
                a@x.example,Ann,acme gmbh,\n\
                a@X.example,Twice,,\n\
                b@x.example,,,\n\
                c@x.example,Carl,Nobody Ltd,\n\
                d@x.example,Dora\n\
                \"e@x.example\",\"multi\nline\",,\n";
    let import =
        sheets::upload::<Contact>(control, &admin, Key::Email, "c.csv", text.as_bytes()).await.unwrap();
    let plan = sheets::plan::<Contact>(control, &admin, import).await.unwrap();
    let wrong: Vec<_> = plan.wrong.iter().map(|cell| (cell.line, cell.column.as_str())).collect();
    assert_eq!(wrong, [(3, "email"), (4, "name"), (5, "company"), (6, ""), (7, "name")]);
    assert_eq!(refused(sheets::apply::<Contact>(control, &admin, import, &plan.mark).await), "wrong_rows");
    assert!(crm::list::<Contact>(control, &admin, &Filter::default(), 0, 10).await.unwrap().lines.is_empty());

    // What changed meanwhile is looked at again; what somebody else uploaded is not there.
    let import = sheets::upload::<Company>(control, &admin, Key::Name, "d.csv", b"name,industry\nNew,Tea\n")
        .await
        .unwrap();
    let plan = sheets::plan::<Company>(control, &admin, import).await.unwrap();
    let other = with_role(&world, "Bea", Role::Admin).await;
    not_there(sheets::plan::<Company>(control, &other, import).await);
    not_there(sheets::plan::<Contact>(control, &admin, import).await);
    crm::create::<Company>(control, &admin, given(&[("name", "other"), ("external_id", "9")])).await.unwrap();
    let filter = Filter { search: Some("new.ex".to_owned()), ..Filter::default() };
    let id = crm::list::<Company>(control, &admin, &filter, 0, 1).await.unwrap().lines[0].id;
    crm::update::<Company>(control, &admin, id.into(), given(&[("industry", "Tea")])).await.unwrap();
    assert_eq!(refused(sheets::apply::<Company>(control, &admin, import, &plan.mark).await), "plan_changed");
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(86_401));
    not_there(sheets::plan::<Company>(control, &admin, import).await);
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    not_there(sheets::upload::<Company>(control, &auditor, Key::Name, "x", b"name\nx").await);
    sheet_of::<Company>(&world, &auditor).await;
}

#[tokio::test]
async fn files_that_cannot_be_are_refused_with_the_reason() {
    let world = TestWorld::new().await;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let many = format!("name\n{}", "x\n".repeat(sheets::MOST_ROWS + 1));
    for (content, field) in [
        (&b""[..], "file"),
        (b"\xff\xfe", "file"),
        (b"name\0\nx", "file"),
        (b"nothing,known\n1,2", "file"),
        (b"name,name\n1,2", "file"),
        (b"name\n", "file"),
        (b"website\nx.example", "match_by"),
        (many.as_bytes(), "file"),
        (&vec![b'x'; sheets::LARGEST + 1], "file"),
    ] {
        let result = sheets::upload::<Company>(&world.control, &admin, Key::Name, "x.csv", content).await;
        assert_eq!(invalid(result), field);
    }
    let result = sheets::upload::<Deal>(&world.control, &admin, Key::Email, "x.csv", b"name\nx").await;
    assert_eq!(invalid(result), "match_by");
}
