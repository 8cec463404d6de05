//! The browser's side: a question a moment after the last letter, the newest answer shown, one option active.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Element, HtmlElement, HtmlInputElement, KeyboardEvent, Response, ScrollIntoViewOptions,
    ScrollLogicalPosition, UrlSearchParams,
};

/// After the last letter, before the server is asked.
const REST: Duration = Duration::from_millis(90);

struct Finder {
    url: String,
    told: RwSignal<Option<u32>>,
    input: HtmlInputElement,
    results: Element,
    /// Which question was asked last; answers to earlier ones are dropped.
    asked: Cell<u32>,
    /// What was asked for last.
    shown: RefCell<Option<String>>,
    waiting: Cell<Option<TimeoutHandle>>,
    active: Cell<u32>,
    /// Enter was pressed before the answer to what is in the field had come: its first option is gone to when it comes.
    hurried: Cell<bool>,
}

/// Begins once the page is awake.
pub(super) fn wake(url: String, told: RwSignal<Option<u32>>) {
    Effect::new(move |_| {
        let Some(finder) = Finder::find(url.clone(), told).map(Rc::new) else { return };
        let typed = Rc::clone(&finder);
        listen(&finder.input, "input", move |_| typed.rest());
        let pressed = Rc::clone(&finder);
        listen(&finder.input, "keydown", move |event| {
            if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                pressed.press(event);
            }
        });
        // The dialog was opened before this was loaded: what was typed meanwhile is asked for.
        if finder.input.closest("dialog[open]").ok().flatten().is_some() {
            finder.ask();
        }
    });
}

fn listen(target: &HtmlInputElement, event: &str, act: impl Fn(web_sys::Event) + 'static) {
    let heard = Closure::<dyn Fn(web_sys::Event)>::new(act);
    let _ = target.add_event_listener_with_callback(event, heard.as_ref().unchecked_ref());
    // Lives as long as the page.
    heard.forget();
}

impl Finder {
    fn find(url: String, told: RwSignal<Option<u32>>) -> Option<Self> {
        let document = web_sys::window()?.document()?;
        Some(Self {
            url,
            told,
            input: document.get_element_by_id("palette-q")?.dyn_into().ok()?,
            results: document.get_element_by_id("palette-results")?,
            asked: Cell::new(0),
            shown: RefCell::new(None),
            waiting: Cell::new(None),
            active: Cell::new(0),
            hurried: Cell::new(false),
        })
    }

    fn rest(self: &Rc<Self>) {
        self.hurried.set(false);
        if let Some(waiting) = self.waiting.take() {
            waiting.clear();
        }
        let this = Rc::clone(self);
        self.waiting.set(set_timeout_with_handle(move || this.ask(), REST).ok());
    }

    fn ask(self: &Rc<Self>) {
        let text = self.input.value();
        if self.shown.borrow().as_ref() == Some(&text) {
            return;
        }
        let round = self.asked.get().wrapping_add(1);
        self.asked.set(round);
        let Ok(query) = UrlSearchParams::new() else { return };
        query.append("q", &text);
        let Some(window) = web_sys::window() else { return };
        let answered = Rc::clone(self);
        let failed = Rc::clone(self);
        let on_answer = Closure::once(move |response: JsValue| answered.read(response, round, text));
        let on_failure = Closure::once(move |_: JsValue| failed.fail(round));
        let url = format!("{}?{}", self.url, String::from(query.to_string()));
        let _ = window.fetch_with_str(&url).then2(&on_answer, &on_failure);
        on_answer.forget();
        on_failure.forget();
    }

    fn read(self: &Rc<Self>, response: JsValue, round: u32, asked: String) {
        // A session that is over leads to sign-in, which is no list of results.
        let answer = response.dyn_into::<Response>().ok().filter(|it| it.ok() && !it.redirected());
        let Some(text) = answer.and_then(|response| response.text().ok()) else { return self.fail(round) };
        let this = Rc::clone(self);
        let show = Closure::once(move |html: JsValue| {
            if this.asked.get() == round {
                *this.shown.borrow_mut() = Some(asked);
                this.show(&html.as_string().unwrap_or_default());
            }
        });
        let _ = text.then(&show);
        show.forget();
    }

    fn fail(&self, round: u32) {
        if self.asked.get() == round {
            *self.shown.borrow_mut() = None;
            self.show("<p class=\"nothing\">Nothing can be looked for just now. Enter opens the page of results.</p>");
        }
    }

    /// The server escapes all there is; scripts in such markup do not run.
    fn show(&self, html: &str) {
        self.results.set_inner_html(html);
        let count = self.results.first_element_child().and_then(|it| it.get_attribute("data-count"));
        self.told.set(count.and_then(|count| count.parse().ok()));
        let any = self.option(1).is_some();
        let _ = self.input.set_attribute("aria-expanded", if any { "true" } else { "false" });
        self.activate(if any { 1 } else { 0 });
        if self.hurried.replace(false) {
            self.go();
        }
    }

    /// To the active option; where there is none, the form leads to the page of results.
    fn go(&self) {
        let option = self.option(self.active.get()).and_then(|it| it.dyn_into::<HtmlElement>().ok());
        match (option, self.input.form()) {
            (Some(option), _) => option.click(),
            (None, Some(form)) => drop(form.submit()),
            (None, None) => {}
        }
    }

    fn option(&self, number: u32) -> Option<Element> {
        self.results.query_selector(&format!("#palette-{number}")).ok().flatten()
    }

    /// Makes one option the active one; 0: none.
    fn activate(&self, number: u32) {
        if let Some(old) = self.option(self.active.replace(number)) {
            let _ = old.set_attribute("aria-selected", "false");
        }
        match self.option(number) {
            Some(option) => {
                let _ = option.set_attribute("aria-selected", "true");
                let _ = self.input.set_attribute("aria-activedescendant", &option.id());
                let nearest = ScrollIntoViewOptions::new();
                nearest.set_block(ScrollLogicalPosition::Nearest);
                option.scroll_into_view_with_scroll_into_view_options(&nearest);
            }
            None => {
                let _ = self.input.remove_attribute("aria-activedescendant");
            }
        }
    }

    fn press(self: &Rc<Self>, event: &KeyboardEvent) {
        if event.is_composing() || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let active = self.active.get();
        match event.key().as_str() {
            "ArrowDown" => {
                event.prevent_default();
                let next = active.saturating_add(1);
                self.activate(if self.option(next).is_some() { next } else { 1 });
            }
            "ArrowUp" => {
                event.prevent_default();
                let last =
                    || (1_u32..).take_while(|number| self.option(*number).is_some()).last().unwrap_or(0);
                self.activate(if active > 1 { active - 1 } else { last() });
            }
            "Enter" => {
                event.prevent_default();
                if self.shown.borrow().as_deref() == Some(self.input.value().as_str()) {
                    self.go();
                } else {
                    // Another question than the one that was answered.
                    self.ask();
                    self.hurried.set(true);
                }
            }
            _ => {}
        }
    }
}
