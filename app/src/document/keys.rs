//! What every page of the frame has for the keyboard: the palette behind ⌘K, the list of shortcuts behind ?, and g with
//! a letter to go to a place. All of it is a short script that loads nothing; the islands come with the first ⌘K.
//!
//! Without script the search button is a link to the page of search, and the dialogs stay closed.

use leptos::prelude::*;

use super::{Assets, Visit};
use crate::icon::Icon;
use crate::islands::Palette;
use crate::links::{Links, Place};

/// The dialogs and the script. `islands`: the page wakes its islands itself, the palette among them.
pub(super) fn keys(visit: &Visit, islands: bool) -> impl IntoView + use<> {
    let links = visit.links();
    let script = script(&visit.site.assets, islands);
    view! {
        {palette(&links).into_any()}
        {shortcuts(&visit.places).into_any()}
        <script type="module" id="keys" nonce=visit.site.nonce.clone() inner_html=script></script>
    }
}

/// A form that finds by itself: Enter leads to the page of results also before anything else is loaded.
fn palette(links: &Links) -> impl IntoView + use<> {
    view! {
        <dialog id="palette" class="palette" aria-label="Find">
            <form method="get" action=links.find() role="search">
                <Icon name="find" />
                <input
                    type="text"
                    id="palette-q"
                    name="q"
                    maxlength="120"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    enterkeyhint="search"
                    placeholder="Go to, find or do…"
                    role="combobox"
                    aria-label="Find anything"
                    aria-autocomplete="list"
                    aria-controls="palette-results"
                    aria-expanded="false"
                />
                <button type="submit" class="visually-hidden" tabindex="-1">
                    "Find"
                </button>
                <button type="submit" class="button plain" formmethod="dialog" formnovalidate="">
                    "Close"
                </button>
            </form>
            <div id="palette-results" role="listbox" aria-label="Results"></div>
            <p class="palette-foot">
                <span>
                    <kbd>"↑"</kbd>
                    <kbd>"↓"</kbd>
                    " choose "
                    <kbd>"Enter"</kbd>
                    " go "
                    <kbd>"Esc"</kbd>
                    " close"
                </span>
                <button type="button" class="button plain" data-shortcuts="">
                    "All shortcuts"
                </button>
            </p>
            <Palette url=links.palette() />
        </dialog>
    }
}

fn shortcuts(places: &[Place]) -> impl IntoView + use<> {
    let places = places
        .iter()
        .filter_map(|place| Some((place.go_key()?, place.label())))
        .map(|(key, label)| {
            view! {
                <dt>
                    <kbd>"g"</kbd>
                    " "
                    <kbd>{key}</kbd>
                </dt>
                <dd>{label}</dd>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <dialog id="shortcuts" class="shortcuts" aria-labelledby="shortcuts-title">
            <h2 id="shortcuts-title">"Keyboard shortcuts"</h2>
            <dl>
                <dt>
                    <kbd>"⌘"</kbd>
                    " "
                    <kbd>"K"</kbd>
                    " or "
                    <kbd>"Ctrl"</kbd>
                    " "
                    <kbd>"K"</kbd>
                </dt>
                <dd>"Go to, find or do"</dd>
                <dt>
                    <kbd>"?"</kbd>
                </dt>
                <dd>"This list"</dd>
                {places}
            </dl>
            <p class="choice-field">
                <input type="checkbox" id="keys-on" checked="" />
                <label for="keys-on">"Shortcuts of single keys (? and g) work in this browser"</label>
            </p>
            <form method="dialog">
                <button type="submit" class="button">
                    "Close"
                </button>
            </form>
        </dialog>
    }
}

/// Dialogs give the focus back by themselves. Opening asks the palette for what is in its field; where it is not awake
/// yet, it asks when it wakes. Letters are left alone in fields, under modifiers, in dialogs, and where they were
/// switched off (WCAG 2.1.4).
fn script(assets: &Assets, islands: bool) -> String {
    let Assets { js, wasm, .. } = assets;
    let wake = if islands {
        String::new()
    } else {
        format!(
            "if(!awake){{awake=1;import({js:?}).then(async m=>{{await m.default({{module_or_path:{wasm:?}}});m.hydrate();\
             for(const it of D.querySelectorAll('leptos-island'))m[it.dataset.component]?.(it)}}).catch(()=>awake=0)}}"
        )
    };
    format!(
        "const D=document,by=id=>D.getElementById(id),P=by('palette'),Q=by('palette-q'),H=by('shortcuts'),\
         B=by('keys-on');let awake=0,g=0;\
         if(/Mac|iP/.test(navigator.platform))for(const k of D.querySelectorAll('.find-button kbd'))k.textContent='⌘K';\
         const kept=v=>{{try{{return v===undefined?localStorage.keys:localStorage.keys=v}}catch{{}}}};\
         const open=()=>{{H.close();P.showModal();Q.select();Q.dispatchEvent(new Event('input'));{wake}}};\
         B.checked=kept()!=='off';B.onchange=()=>kept(B.checked?'on':'off');\
         D.addEventListener('click',e=>{{const t=e.target;\
         if(t===P||t===H)t.close();\
         else if(t.closest?.('[data-shortcuts]')){{P.close();H.showModal()}}\
         else if(t.closest?.('[data-palette]')&&!e.button&&!e.metaKey&&!e.ctrlKey&&!e.shiftKey){{e.preventDefault();open()}}}});\
         D.addEventListener('keydown',e=>{{const k=e.key;\
         if((e.metaKey||e.ctrlKey)&&!e.altKey&&!e.shiftKey&&k.toLowerCase()==='k'){{e.preventDefault();\
         P.open?P.close():open();return}}\
         if(!B.checked||e.metaKey||e.ctrlKey||e.altKey||e.isComposing||D.querySelector('dialog[open]')||\
         e.target.closest?.('input,textarea,select,[contenteditable]'))return;\
         const due=Date.now()-g<1500;g=0;\
         if(k==='?'){{e.preventDefault();H.showModal()}}\
         else if(due){{for(const a of D.querySelectorAll('[data-go]'))if(a.dataset.go===k){{e.preventDefault();a.click()}}}}\
         else if(k==='g')g=Date.now()}});"
    )
}
