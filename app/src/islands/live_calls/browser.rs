//! The browser's side: an `EventSource`, and rows put in their place.
//!
//! Events: `page` (the newest rows; older ones exist), `all` (every row there is), `calls` (new and changed rows),
//! `skipped` (how many were left out), `end` (do not come back). Rows are `<tr>` with the call's id, which sorts by
//! time. Each connection begins with `page` or `all`, so nothing is missed between two of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{
    Document, Element, EventSource, HtmlElement, HtmlTemplateElement, MessageEvent, VisibilityState,
};

use super::{Phase, Shown};

/// Rows that the page keeps; older ones are behind its link.
const KEPT: u32 = 300;
/// How often assistive technology is told.
const TELL: Duration = Duration::from_secs(5);
/// First wait before connecting anew after a refusal, doubled each time up to 32 s.
const WAIT: Duration = Duration::from_secs(2);

struct Follower {
    url: String,
    shown: Shown,
    source: RefCell<Option<EventSource>>,
    paused: Cell<bool>,
    refusals: Cell<u32>,
    untold: Cell<u32>,
    arrived: Cell<u32>,
    /// Which connection events belong to; a late event of an earlier one is dropped.
    round: Cell<u32>,
}

/// Follows the stream once the page is awake. The returned function pauses and resumes.
pub(super) fn follow(url: String, shown: Shown) -> impl Fn() {
    let follower = Rc::new(Follower {
        url,
        shown,
        source: RefCell::new(None),
        paused: Cell::new(false),
        refusals: Cell::new(0),
        untold: Cell::new(0),
        arrived: Cell::new(0),
        round: Cell::new(0),
    });
    let at_start = Rc::clone(&follower);
    Effect::new(move |_| {
        at_start.mind_visibility();
        at_start.connect();
        let teller = Rc::clone(&at_start);
        set_interval(move || teller.tell(), TELL);
    });
    move || follower.toggle()
}

impl Follower {
    fn toggle(self: &Rc<Self>) {
        if self.paused.replace(!self.paused.get()) {
            self.connect();
        } else {
            self.disconnect();
            self.shown.phase.set(Phase::Paused);
        }
    }

    /// A page in the background gives its connection back: browsers allow few to one server.
    fn mind_visibility(self: &Rc<Self>) {
        let Some(document) = document() else { return };
        let this = Rc::clone(self);
        let changed = Closure::<dyn Fn()>::new(move || {
            let hidden = self::document().is_some_and(|it| it.visibility_state() == VisibilityState::Hidden);
            if hidden {
                this.disconnect();
            } else if !this.paused.get() && this.source.borrow().is_none() {
                this.connect();
            }
        });
        let _ =
            document.add_event_listener_with_callback("visibilitychange", changed.as_ref().unchecked_ref());
        changed.forget();
    }

    fn disconnect(&self) {
        self.round.set(self.round.get().wrapping_add(1));
        if let Some(source) = self.source.borrow_mut().take() {
            source.close();
        }
    }

    fn connect(self: &Rc<Self>) {
        if self.shown.phase.get_untracked() == Phase::Ended {
            return;
        }
        self.disconnect();
        self.shown.phase.set(Phase::Connecting);
        let Ok(source) = EventSource::new(&self.url) else { return };
        self.on(&source, "page", |this, data| {
            this.refusals.set(0);
            this.shown.phase.set(Phase::Live);
            this.renew(data, true);
        });
        self.on(&source, "all", |this, data| {
            this.refusals.set(0);
            this.shown.phase.set(Phase::Live);
            this.renew(data, false);
        });
        self.on(&source, "calls", |this, data| this.put(data));
        self.on(&source, "skipped", |this, data| {
            this.shown.skipped.update(|sum| *sum = sum.saturating_add(data.parse().unwrap_or(0)));
        });
        self.on(&source, "end", |this, _| {
            this.shown.phase.set(Phase::Ended);
            this.disconnect();
        });
        self.on(&source, "error", |this, _| this.lost());
        *self.source.borrow_mut() = Some(source);
    }

    /// Listens for one kind of event of this connection.
    fn on(self: &Rc<Self>, source: &EventSource, event: &str, act: impl Fn(&Rc<Self>, &str) + 'static) {
        let this = Rc::clone(self);
        let round = self.round.get();
        let heard = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
            if this.round.get() != round {
                return;
            }
            let data = event.dyn_ref::<MessageEvent>().and_then(|message| message.data().as_string());
            act(&this, data.as_deref().unwrap_or(""));
        });
        let _ = source.add_event_listener_with_callback(event, heard.as_ref().unchecked_ref());
        // Lives as long as the source: a few closures for each connection.
        heard.forget();
    }

    /// The browser connects anew by itself after a break, and gives up after a refusal.
    fn lost(self: &Rc<Self>) {
        self.shown.phase.set(Phase::Connecting);
        let refused =
            self.source.borrow().as_ref().is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        if !refused {
            return;
        }
        self.disconnect();
        let refusals = self.refusals.get();
        self.refusals.set(refusals.saturating_add(1));
        let this = Rc::clone(self);
        let round = self.round.get();
        set_timeout(
            move || {
                if this.round.get() == round && !this.paused.get() {
                    this.connect();
                }
            },
            WAIT * 2_u32.pow(refusals.min(4)),
        );
    }

    /// Tells how many have come since the last time, if any.
    fn tell(&self) {
        let untold = self.untold.replace(0);
        if untold > 0 {
            self.shown.told.set(untold);
        }
    }

    /// The newest rows as they are now. If none of them is on the page, too much has happened since: then the page
    /// begins anew with them.
    fn renew(&self, html: &str, older: bool) {
        let Some(list) = List::find() else { return };
        let rows = list.parse(html);
        let known = rows.iter().any(|row| list.row(&row.id()).is_some());
        if older && !known && list.body.first_element_child().is_some() {
            list.body.set_inner_html("");
        }
        self.place(&list, &rows, older);
    }

    fn put(&self, html: &str) {
        let Some(list) = List::find() else { return };
        let rows = list.parse(html);
        let older = list.older.as_ref().is_some_and(|link| !link.has_attribute("hidden"));
        self.place(&list, &rows, older);
    }

    /// `older`: there are rows behind the last one on the page, so what is older than that does not belong here.
    fn place(&self, list: &List, rows: &[Element], older: bool) {
        let mut arrived = 0;
        for row in rows {
            if list.place(row, older) {
                arrived += 1;
            }
        }
        if arrived > 0 {
            self.untold.set(self.untold.get().saturating_add(arrived));
            self.arrived.set(self.arrived.get().saturating_add(arrived));
            list.show();
        }
        list.trim(older);
    }
}

fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// The list in the page, by the ids that the server gave.
struct List {
    document: Document,
    body: Element,
    older: Option<Element>,
}

impl List {
    fn find() -> Option<Self> {
        let document = document()?;
        let body = document.get_element_by_id("calls")?;
        let older = document.get_element_by_id("calls-older");
        Some(Self { document, body, older })
    }

    /// Rows of the server's HTML. Scripts in a template do not run, and the server escapes all there is.
    fn parse(&self, html: &str) -> Vec<Element> {
        let template = self.document.create_element("template").ok();
        let Some(template) = template.and_then(|it| it.dyn_into::<HtmlTemplateElement>().ok()) else {
            return Vec::new();
        };
        template.set_inner_html(html);
        let mut rows = Vec::new();
        let mut next = template.content().first_element_child();
        while let Some(row) = next {
            next = row.next_element_sibling();
            rows.push(row);
        }
        rows
    }

    fn row(&self, id: &str) -> Option<Element> {
        self.document.get_element_by_id(id)
    }

    /// Puts a row where its id belongs, or in place of what was there. Says whether it is new to the page.
    fn place(&self, row: &Element, older: bool) -> bool {
        let id = row.id();
        if let Some(old) = self.row(&id) {
            if old.inner_html() != row.inner_html() {
                let focused = self.document.active_element().filter(|it| old.contains(Some(it)));
                let place = focused.and_then(|it| it.get_attribute("href"));
                let _ = old.replace_with_with_node_1(row);
                if let Some(href) = place {
                    let link = row.query_selector(&format!("a[href=\"{href}\"]")).ok().flatten();
                    let _ = link.and_then(|it| it.dyn_into::<HtmlElement>().ok()).map(|it| it.focus());
                }
            }
            return false;
        }
        let mut next = self.body.first_element_child();
        while let Some(other) = next {
            if other.id() < id {
                let _ = self.body.insert_before(row, Some(&other));
                let _ = row.class_list().add_1("arrived");
                return true;
            }
            next = other.next_element_sibling();
        }
        if older && self.body.first_element_child().is_some() {
            return false;
        }
        let _ = self.body.append_child(row);
        let _ = row.class_list().add_1("arrived");
        true
    }

    /// The list instead of what stands there while it is empty.
    fn show(&self) {
        if let Some(nothing) = self.document.get_element_by_id("calls-nothing") {
            let _ = nothing.set_attribute("hidden", "");
        }
        if let Some(list) = self.document.get_element_by_id("calls-list") {
            let _ = list.remove_attribute("hidden");
        }
    }

    /// Drops what is too much, and leads the older link to where the page now ends.
    fn trim(&self, mut older: bool) {
        while self.body.child_element_count() > KEPT
            && let Some(last) = self.body.last_element_child()
        {
            last.remove();
            older = true;
        }
        let (Some(link), Some(last)) = (&self.older, self.body.last_element_child()) else { return };
        if !older {
            return;
        }
        let href = link.get_attribute("href").unwrap_or_default();
        // `before` is the last of the query's parts, where there is one.
        let base = match href.find("before=") {
            Some(at) => href.get(..at).unwrap_or_default().to_owned(),
            None => format!("{href}{}", if href.contains('?') { "&" } else { "?" }),
        };
        let _ = link.set_attribute("href", &format!("{base}before={}", last.id()));
        let _ = link.remove_attribute("hidden");
    }
}
