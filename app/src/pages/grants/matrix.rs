//! The matrix: modules with their keys and tools by units, roles, people or agents. A tick is a grant given right here;
//! where a right comes from elsewhere, the cell says from where.

use control::authority::Deed;
use control::grants::matrix::{COLUMNS, Cell, KeyRow, MODULES, Matrix, ModuleRows, Source, ToolRow};
use control::grants::pick::{Kind, Named};
use leptos::prelude::*;
use model::access::Grantee;
use model::catalog::{ModuleStanding, ToolStanding};

use super::query::MatrixQuery;
use super::{Tab, count, end_field, head, kind_icon, kind_word, pages, plain_name, whom_with_note};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::grants::item;
use crate::links::{Links, Place};
use crate::pieces::field::{ErrorSummary, FORM};
use crate::pieces::form::{Form, hidden};
use crate::wording::Clock;
use crate::{text, wording};

/// What every cell needs to know.
#[derive(Clone)]
struct Around {
    links: Links,
    clock: Clock,
    query: MatrixQuery,
    may: bool,
    /// What was ticked, when the form came back; none: what is given is ticked.
    typed: Option<Form>,
}

/// The page. `typed` is the form when it came back with an error.
pub fn page(visit: &Visit, query: MatrixQuery, matrix: Matrix, typed: Option<Form>) -> String {
    let crumbs = vec![Crumb::here("Grants")];
    let form = typed.clone().unwrap_or_default();
    let title = form.title("Grants");
    document::page(visit, Place::Grants, &title, crumbs, false, || {
        let around = Around {
            links: visit.links(),
            clock: visit.clock(),
            may: visit.may(Deed::ChangeGrants),
            query: query.clone(),
            typed,
        };
        let content = if matrix.modules.is_empty() || matrix.columns.is_empty() {
            nothing(&around, &matrix)
        } else {
            table(&around, matrix.clone(), &form)
        };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            {head(visit, Tab::Matrix)}
            {filters(&around.links, &query)}
            {trail(&around, &matrix)}
            {content}
        }
    })
}

/// The filters: a plain form that writes the URL.
fn filters(links: &Links, query: &MatrixQuery) -> impl IntoView + use<> {
    let kinds = Kind::ALL
        .iter()
        .map(|kind| view! { <option value=kind.word() selected={query.by == *kind}>{kind_word(*kind)}</option> })
        .collect::<Vec<_>>();
    let within = query.within.map(|unit| hidden("in", unit.to_string()));
    let opened = query.open.iter().map(|name| hidden("open", name.clone())).collect::<Vec<_>>();
    let filters = !query.text.is_empty() || !query.who.is_empty() || query.only.is_some();
    let clear = MatrixQuery { by: query.by, within: query.within, ..MatrixQuery::default() };
    let clear = filters.then(|| links.grants_with(&clear.to_query()));
    view! {
        <form class="filters grants-filters" method="get" action=links.grants() role="search" aria-label="Choose rows and columns">
            <div class="field">
                <label for="q">"Module, key or tool"</label>
                <input type="search" id="q" name="q" maxlength="100" autocomplete="off" value=query.text.clone() />
            </div>
            <div class="field">
                <label for="by">"Columns"</label>
                <select id="by" name="by">
                    {kinds}
                </select>
            </div>
            <div class="field">
                <label for="who">"Name of a column"</label>
                <input type="search" id="who" name="who" maxlength="100" autocomplete="off" value=query.who.clone() />
            </div>
            {within}
            {opened}
            <div class="filter-actions">
                <button type="submit" class="button">
                    "Apply"
                </button>
                {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
            </div>
        </form>
    }
}

/// Where in the tree one is, and the way back up.
fn trail(around: &Around, matrix: &Matrix) -> Option<impl IntoView + use<>> {
    let query = &around.query;
    let to = |within| {
        let there = MatrixQuery { within, only: None, who: String::new(), columns: 0, ..query.clone() };
        around.links.grants_with(&there.to_query())
    };
    let by = |by| {
        let there = MatrixQuery { by, only: None, who: String::new(), columns: 0, ..query.clone() };
        around.links.grants_with(&there.to_query())
    };
    (!matrix.trail.is_empty()).then(|| {
        let last = matrix.trail.len() - 1;
        let steps = matrix
            .trail
            .iter()
            .enumerate()
            .map(|(at, (unit, name))| match at == last {
                true => view! { <li aria-current="location">{text::name(name)}</li> }.into_any(),
                false => view! { <li><a href=to(Some(*unit))>{text::name(name)}</a></li> }.into_any(),
            })
            .collect::<Vec<_>>();
        let others = [Kind::Units, Kind::People, Kind::Agents]
            .into_iter()
            .filter(|kind| *kind != query.by)
            .map(|kind| view! { <a class="button plain" href=by(kind)><Icon name=kind_icon(kind) />{kind_word(kind)} " in it"</a> })
            .collect::<Vec<_>>();
        view! {
            <div class="matrix-trail">
                <nav class="breadcrumb" aria-label="Units">
                    <ol>
                        <li>
                            <a href=to(None)>"Whole organization"</a>
                        </li>
                        {steps}
                    </ol>
                </nav>
                {others}
            </div>
        }
    })
}

/// What is shown while there is nothing to show.
fn nothing(around: &Around, matrix: &Matrix) -> AnyView {
    let (links, query) = (&around.links, &around.query);
    let first = MatrixQuery { page: 0, columns: 0, ..query.clone() };
    let filtered = !query.text.is_empty() || !query.who.is_empty();
    if query.page > 0 || query.columns > 0 {
        return view! {
            <section class="empty">
                <h2>"Nothing is on this page"</h2>
                <p>
                    <a class="button" href=links.grants_with(&first.to_query())>
                        "To the first page"
                    </a>
                </p>
            </section>
        }
        .into_any();
    }
    if matrix.modules.is_empty() && !filtered {
        return view! {
            <section class="empty">
                <h2>"There is nothing to give yet"</h2>
                <p>
                    "A module is a service whose tools agents may use: a mail box, a drive, a CRM. Each brings its permission "
                    "keys, and here is where you say who has them. Nobody may use a tool without one."
                </p>
                <p>
                    <a class="button primary" href=links.new_module()>
                        "Add a module"
                    </a>
                </p>
            </section>
        }
        .into_any();
    }
    let (title, sentence) = if matrix.modules.is_empty() {
        ("No module, key or tool matches", "Look for another part of its name.")
    } else if filtered {
        (
            "Nobody of that name is among the columns",
            "Look for another part of the name, or choose other columns.",
        )
    } else {
        ("There are no columns of this kind", "Choose other columns.")
    };
    view! {
        <section class="empty">
            <h2>{title}</h2>
            <p>{sentence}</p>
        </section>
    }
    .into_any()
}

fn table(around: &Around, matrix: Matrix, form: &Form) -> AnyView {
    let (links, query) = (&around.links, &around.query);
    let columns = matrix.columns;
    let row_pages = pages("Pages of modules", "Modules", query.page, MODULES, matrix.modules_total, |page| {
        links.grants_with(&MatrixQuery { page, ..query.clone() }.to_query())
    });
    // One column at a time, and all roles at once, have no pages.
    let paged = query.only.is_none() && query.by != Kind::Roles;
    let total = if paged { matrix.columns_total } else { 0 };
    let column_pages = pages("Pages of columns", "Columns", query.columns, COLUMNS, total, |columns| {
        links.grants_with(&MatrixQuery { columns, ..query.clone() }.to_query())
    });
    let bodies = matrix.modules.iter().map(|module| body(around, module, &columns)).collect::<Vec<_>>();
    let heads =
        columns.iter().enumerate().map(|(at, column)| column_head(around, at, column)).collect::<Vec<_>>();
    let grid = view! {
        <div class="matrix-choice">
            <label for="column">"Column"</label>
            // Without a name: which column a narrow page shows is nobody else's business.
            <select id="column">
                {columns
                    .iter()
                    .enumerate()
                    .map(|(at, column)| view! { <option value=at.to_string()>{column_name(column)}</option> })
                    .collect::<Vec<_>>()}
            </select>
        </div>
        <div class="matrix-scroll" tabindex="0" role="region" aria-labelledby="matrix-caption">
            <table class="matrix">
                <caption id="matrix-caption" class="visually-hidden">
                    "Permission keys by " {kind_word(query.by)} ": whether each is given, and from where"
                </caption>
                <thead>
                    <tr>
                        <th scope="col" class="matrix-corner">"Module and key"</th>
                        {heads}
                    </tr>
                </thead>
                {bodies}
            </table>
        </div>
    };
    let paging = view! { <div class="matrix-pages">{row_pages} {column_pages}</div> };
    if !around.may {
        return view! {
            {legend(false)}
            {grid}
            {paging}
        }
        .into_any();
    }
    view! {
        {legend(true)}
        <form class="matrix-form" id=FORM method="post" action=links.review_grants() aria-label="Change grants">
            {hidden("back", links.grants_with(&query.to_query()))}
            {grid}
            <div class="matrix-bar">
                {end_field(form, around.clock, "For what you give now. Empty: until somebody revokes it.")}
                <button type="submit" class="button primary">
                    "Review the change"
                </button>
            </div>
        </form>
        {paging}
    }
    .into_any()
}

/// What a column is called among columns of its kind.
fn column_name(column: &Named) -> String {
    match column.grantee {
        Grantee::Role(role) => wording::role(role).to_string(),
        _ => plain_name(column.grantee, &column.name),
    }
}

/// What the cells mean.
fn legend(may: bool) -> impl IntoView {
    let hint = may.then(|| {
        view! { <span>"Tick what is to be given, untick what is to be revoked. Nothing changes before you have reviewed it."</span> }
    });
    view! {
        <p class="matrix-legend">
            <span class="legend-item" data-state="given"><Icon name="check" />"Given"</span>
            <span class="legend-item" data-state="inherited"><Icon name="arrow" />"From elsewhere"</span>
            <span class="legend-item" data-state="ended"><Icon name="clock" />"Ended"</span>
            <span class="legend-item" data-state="none">"– Not given"</span>
            {hint}
        </p>
    }
}

fn column_head(around: &Around, at: usize, column: &Named) -> AnyView {
    let drill = match column.grantee {
        Grantee::Unit(unit) if column.below > 0 && around.query.within != Some(unit) => {
            let there = MatrixQuery {
                by: Kind::Units,
                within: Some(unit),
                only: None,
                who: String::new(),
                columns: 0,
                ..around.query.clone()
            };
            let below = count(usize::try_from(column.below).unwrap_or(0), "unit below", "units below");
            Some(
                view! { <a class="drill" href=around.links.grants_with(&there.to_query())>{below} <Icon name="next" /></a> },
            )
        }
        _ => None,
    };
    view! {
        <th scope="col" class=format!("c{at}")>
            {whom_with_note(&around.links, column)}
            {drill}
        </th>
    }
    .into_any()
}

fn body(around: &Around, module: &ModuleRows, columns: &[Named]) -> AnyView {
    let open = around.query.open.contains(&module.name);
    let tools: i64 = module.keys.iter().map(|row| row.tools_total).sum();
    let mut rows: Vec<AnyView> = Vec::new();
    // The module's own key is its own line; a module without one would have a line all the same.
    if module.keys.first().is_none_or(|row| row.key.as_str() != module.name) {
        let empty = columns
            .iter()
            .enumerate()
            .map(|(at, _)| view! { <td class=format!("c{at}")></td> })
            .collect::<Vec<_>>();
        rows.push(
            view! { <tr class="module-row">{module_head(around, module, tools, open)} {empty}</tr> }
                .into_any(),
        );
    }
    for row in &module.keys {
        let own = row.key.as_str() == module.name;
        let first = if own { module_head(around, module, tools, open) } else { key_head(&around.links, row) };
        let cells = cells(around, row, columns);
        let class = if own { "module-row" } else { "key-row" };
        rows.push(view! { <tr class=class>{first} {cells}</tr> }.into_any());
        rows.extend(row.tools.iter().map(|tool| tool_row(around, module, row, tool)));
    }
    view! { <tbody>{rows}</tbody> }.into_any()
}

fn module_head(around: &Around, module: &ModuleRows, tools: i64, open: bool) -> AnyView {
    let mut there = around.query.clone();
    if open {
        there.open.retain(|name| *name != module.name);
    } else {
        there.open.push(module.name.clone());
    }
    let toggle = (tools > 0).then(|| {
        let said = match open {
            true => "Hide its tools".to_owned(),
            false => count(usize::try_from(tools).unwrap_or(0), "tool", "tools"),
        };
        // Back to the very module, not to the top of the page.
        let href = format!("{}#m-{}", around.links.grants_with(&there.to_query()), module.name);
        view! { <a class="toggle" href=href>{said} <Icon name={if open { "down" } else { "next" }} /></a> }
    });
    let off = (module.standing == ModuleStanding::Off)
        .then(|| view! { <span class="note">"Switched off: takes no calls"</span> });
    view! {
        <th scope="row" id=format!("m-{}", module.name)>
            <a class="module-link" href=around.links.module(&module.name)>{text::name(&module.title)}</a>
            " "
            {text::code(&module.name)}
            {toggle}
            {off}
        </th>
    }
    .into_any()
}

fn key_head(links: &Links, row: &KeyRow) -> AnyView {
    let _ = links;
    let tools = usize::try_from(row.tools_total).unwrap_or(0);
    let said = if tools == 0 { "no tool".to_owned() } else { count(tools, "tool", "tools") };
    view! {
        <th scope="row">
            {text::code(row.key.as_str())}
            " "
            <span class="note">{said}</span>
        </th>
    }
    .into_any()
}

fn cells(around: &Around, row: &KeyRow, columns: &[Named]) -> Vec<AnyView> {
    row.cells
        .iter()
        .zip(columns)
        .enumerate()
        .map(|(at, (cell, column))| cell_view(around, at, row, cell, column))
        .collect()
}

/// The word of `data-state`.
fn state(cell: &Cell, clock: Clock) -> &'static str {
    match (cell.given(clock.now), cell.inherited.is_empty(), &cell.own) {
        (true, ..) => "given",
        (_, false, _) => "inherited",
        (_, _, Some(_)) => "ended",
        _ => "none",
    }
}

fn cell_view(around: &Around, at: usize, row: &KeyRow, cell: &Cell, column: &Named) -> AnyView {
    let (clock, links) = (around.clock, &around.links);
    let given = cell.given(clock.now);
    let state = state(cell, clock);
    let tick = around.may.then(|| {
        let item = item(&row.key, column.grantee);
        let ticked = around.typed.as_ref().map_or(given, |form| form.has("cell", &item));
        let label = format!("{} for {}", row.key, plain_name(column.grantee, &column.name));
        let was = given.then(|| view! { <input type="hidden" name="was" value=item.clone() /> });
        view! {
            <label class="tick">
                <input type="checkbox" name="cell" value=item checked=ticked aria-label=label />
            </label>
            {was}
        }
    });
    let own = cell.own.as_ref();
    let said = match (state, own, cell.inherited.first()) {
        ("given", Some(own), _) => match own.expires_at {
            Some(end) => format!("Until {}", clock.day(end)).into_any(),
            None => "Given".into_any(),
        },
        ("inherited", _, Some(source)) => from(source, column.grantee),
        ("ended", Some(own), _) => {
            let end = own.expires_at.map(|end| clock.day(end)).unwrap_or_default();
            format!("Ended {end}").into_any()
        }
        _ => view! { <span aria-hidden="true">"–"</span> <span class="visually-hidden">"Not given"</span> }
            .into_any(),
    };
    let also = (state == "given").then(|| cell.inherited.first()).flatten().map(|_| {
        view! { <span class="visually-hidden">", and from elsewhere too"</span> <span class="also" aria-hidden="true">"+"</span> }
    });
    let icon = match state {
        "given" => Some("check"),
        "inherited" => Some("arrow"),
        "ended" => Some("clock"),
        _ => None,
    };
    let below = (cell.below > 0).then(|| match column.grantee {
        Grantee::Unit(unit) if around.query.within != Some(unit) && column.below > 0 => {
            let there = MatrixQuery {
                by: Kind::Units,
                within: Some(unit),
                only: None,
                who: String::new(),
                columns: 0,
                ..around.query.clone()
            };
            view! { <a class="below" href=links.grants_with(&there.to_query())>{cell.below} " below"</a> }
                .into_any()
        }
        _ => view! { <span class="below">{cell.below} " below"</span> }.into_any(),
    });
    view! {
        <td class=format!("c{at}") data-state=state>
            {tick}
            <a class="how" href=links.grant_cell(&row.key, column.grantee)>
                {icon.map(|name| view! { <Icon name=name /> })}
                <span>{said}</span>
            </a>
            {also}
            " "
            {below}
        </td>
    }
    .into_any()
}

/// Where a right comes from, in the room of a cell: from whom, or by which wider key.
fn from(source: &Source, column: Grantee) -> AnyView {
    match source.grantee {
        // What a column has itself reaches here only by the wider key.
        own if own == column => view! { "By " {text::code(source.key.as_str())} }.into_any(),
        Grantee::Role(role) => view! { "As " {wording::role(role)} }.into_any(),
        Grantee::Unit(_) => view! { "From " {text::name(&source.name)} }.into_any(),
        _ => "From elsewhere".into_any(),
    }
}

fn tool_row(around: &Around, module: &ModuleRows, row: &KeyRow, tool: &ToolRow) -> AnyView {
    let standing = match tool.standing {
        ToolStanding::Approved => None,
        ToolStanding::Proposed => Some("Not approved yet"),
        ToolStanding::Drifted => Some("Frozen: it has changed"),
        ToolStanding::Withdrawn => Some("Withdrawn"),
    };
    let cells = row
        .cells
        .iter()
        .enumerate()
        .map(|(at, cell)| {
            let held = cell.held(around.clock.now);
            let said = match held {
                true => {
                    view! { <span class="how"><Icon name="check" /><span>"Has " {text::code(row.key.as_str())}</span></span> }.into_any()
                }
                false => {
                    view! { <span aria-hidden="true">"–"</span> <span class="visually-hidden">"Does not have the key"</span> }.into_any()
                }
            };
            view! { <td class=format!("c{at}") data-state={if held { "through" } else { "none" }}>{said}</td> }.into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <tr class="tool-row">
            <th scope="row">
                <a href=around.links.tool(&module.name, &tool.name)>{text::code(&tool.name)}</a>
                {standing.map(|said| view! { " " <span class="note">{said}</span> })}
            </th>
            {cells}
        </tr>
    }
    .into_any()
}
