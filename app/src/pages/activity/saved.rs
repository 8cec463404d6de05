//! Filters under a name: go to one, keep this one, forget one. And the calls of this one as a file.

use control::activity::saved::SavedFilter;
use leptos::prelude::*;

use crate::icon::Icon;
use crate::links::Links;
use crate::pages::filter::{ActivityQuery, Cursor};
use crate::pieces::form::{Checkbox, Form, TextField, hidden};
use crate::text;

/// What the bar below the filters needs to know.
pub(super) struct Saved {
    pub(super) links: Links,
    pub(super) query: ActivityQuery,
    pub(super) saved: Vec<SavedFilter>,
    pub(super) may_share: bool,
    /// The form that keeps the filter, as it came back.
    pub(super) form: Form,
    /// Whether there is, or can come, anything to take as a file.
    pub(super) any: bool,
}

impl Saved {
    pub(super) fn view(self) -> impl IntoView {
        let Self { links, query, saved, may_share, form, any } = self;
        let here = query.at(Cursor::Newest).to_query();
        let file = any.then(|| {
            let href = links.export(&here);
            view! {
                <a class="button plain export" href=href download="" title="At most 50,000 calls, the newest first">
                    <Icon name="download" />
                    "CSV of these calls"
                </a>
            }
        });
        let entries = saved
            .iter()
            .map(|filter| {
                let current = (filter.query == here).then_some("page");
                view! {
                    <li>
                        <a href=links.activity_with(&filter.query) aria-current=current>
                            {text::name(&filter.name)}
                        </a>
                    </li>
                }
            })
            .collect::<Vec<_>>();
        let list = (!saved.is_empty()).then(|| {
            view! {
                <ul class="saved-list" aria-label="Saved filters">
                    {entries}
                </ul>
            }
        });
        let known = saved.iter().any(|filter| filter.query == here);
        let open = !form.errors().is_empty();
        let save = (query.filters() && (!known || open)).then(|| {
            let share = may_share.then(|| {
                view! { <Checkbox form=form.clone() name="shared" label="Everybody in the organization sees it" /> }
            });
            view! {
                <details class="saved-form" open=open>
                    <summary>"Save this filter"</summary>
                    <form method="post" action=links.save_filter()>
                        <TextField form=form.clone() name="name" label="Name" longest=80 />
                        {share}
                        {hidden("query", here.clone())}
                        <button type="submit" class="button">
                            "Save"
                        </button>
                    </form>
                </details>
            }
        });
        let mine: Vec<_> = saved.into_iter().filter(|filter| filter.deletable).collect();
        let manage = (!mine.is_empty()).then(|| {
            let rows = mine
                .into_iter()
                .map(|filter| {
                    let label = format!("Delete the filter {}", text::one_line(&filter.name, 80));
                    let shared = filter.shared.then(|| {
                        view! { <span class="beside">"shared by " {text::name(&filter.by)}</span> }
                    });
                    view! {
                        <li>
                            <span>{text::name(&filter.name)}</span>
                            {shared}
                            <form method="post" action=links.delete_filter(filter.id)>
                                <button type="submit" class="button plain" aria-label=label>
                                    "Delete"
                                </button>
                            </form>
                        </li>
                    }
                })
                .collect::<Vec<_>>();
            view! {
                <details class="saved-form">
                    <summary>"Delete filters"</summary>
                    <ul>{rows}</ul>
                </details>
            }
        });
        view! {
            <div class="saved">
                {list.map(IntoAny::into_any)}
                {save.map(IntoAny::into_any)}
                {manage.map(IntoAny::into_any)}
                {file.map(IntoAny::into_any)}
            </div>
        }
    }
}
