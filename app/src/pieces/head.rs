//! The head of a page: what it is called, one sentence on what it is for, and what one can do.

use leptos::prelude::*;

/// Title, lead and, beside them, the page's actions.
#[component]
pub fn PageHead(
    /// The title: text, or a name as [`crate::text::name`] shows it.
    #[prop(into)]
    title: AnyView,
    /// One sentence that says what the page is for.
    #[prop(optional, into)]
    lead: Option<AnyView>,
    /// Links and forms that look like buttons; the most important first.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <header class="page-head">
            <div>
                <h1>{title}</h1>
                {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
            </div>
            {children.map(|actions| view! { <div class="actions">{actions()}</div> })}
        </header>
    }
}
