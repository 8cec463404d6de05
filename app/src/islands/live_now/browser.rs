//! The browser's side: an `EventSource` whose `now` events hold the whole of the element `now`. `end`: do not come back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Document, Element, EventSource, HtmlElement, MessageEvent, VisibilityState};

struct Follower {
    url: String,
    source: RefCell<Option<EventSource>>,
    over: Cell<bool>,
}

/// Follows the stream once the page is awake, and while it is seen: browsers allow few connections to one server.
pub(super) fn follow(url: String) {
    Effect::new(move |_| {
        let follower =
            Rc::new(Follower { url: url.clone(), source: RefCell::new(None), over: Cell::new(false) });
        follower.connect();
        let Some(document) = document() else { return };
        let changed = Closure::<dyn Fn()>::new(move || {
            let hidden = self::document().is_some_and(|it| it.visibility_state() == VisibilityState::Hidden);
            if hidden {
                follower.disconnect();
            } else {
                follower.connect();
            }
        });
        let _ =
            document.add_event_listener_with_callback("visibilitychange", changed.as_ref().unchecked_ref());
        changed.forget();
    });
}

fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// Whoever stands on a link of the old figures stands on the same one of the new.
fn replace(place: &Element, html: &str) {
    let focused = document().and_then(|it| it.active_element()).filter(|it| place.contains(Some(it)));
    let leads_to = focused.and_then(|it| it.get_attribute("href"));
    place.set_inner_html(html);
    let link = leads_to.and_then(|to| place.query_selector(&format!("a[href=\"{to}\"]")).ok().flatten());
    let _ = link.and_then(|it| it.dyn_into::<HtmlElement>().ok()).map(|it| it.focus());
}

impl Follower {
    fn disconnect(&self) {
        if let Some(source) = self.source.borrow_mut().take() {
            source.close();
        }
    }

    fn connect(self: &Rc<Self>) {
        if self.over.get() || self.source.borrow().is_some() {
            return;
        }
        let Ok(source) = EventSource::new(&self.url) else { return };
        let told = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
            let place = document().and_then(|document| document.get_element_by_id("now"));
            if let (Some(place), Some(html)) = (place, event.data().as_string()) {
                replace(&place, &html);
            }
        });
        let _ = source.add_event_listener_with_callback("now", told.as_ref().unchecked_ref());
        told.forget();
        let this = Rc::clone(self);
        let ended = Closure::<dyn Fn(web_sys::Event)>::new(move |_| {
            this.over.set(true);
            this.disconnect();
        });
        let _ = source.add_event_listener_with_callback("end", ended.as_ref().unchecked_ref());
        ended.forget();
        *self.source.borrow_mut() = Some(source);
    }
}
