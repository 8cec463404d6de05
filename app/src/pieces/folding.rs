//! A table that folds into a few lines for each row where there is no room for columns. Cells say in `data-label` what then
//! stands before them; the cell with the class `who` becomes the first line.

use leptos::prelude::*;

/// What stands above a table or one of its columns.
#[derive(Clone, Copy)]
pub enum Head<'a> {
    /// Words.
    Of(&'a str),
    /// Words above numbers.
    Number(&'a str),
    /// Words that are read out and not seen.
    Unseen(&'a str),
}

/// The table.
pub fn folding<R: IntoView + 'static>(
    caption: Head<'_>,
    heads: &[Head<'_>],
    rows: R,
) -> impl IntoView + use<R> {
    let caption = match caption {
        Head::Of(words) | Head::Number(words) => view! { <caption>{words.to_owned()}</caption> }.into_any(),
        Head::Unseen(words) => {
            view! { <caption class="visually-hidden">{words.to_owned()}</caption> }.into_any()
        }
    };
    let head = |head: &Head<'_>| match *head {
        Head::Of(words) => view! { <th scope="col">{words.to_owned()}</th> }.into_any(),
        Head::Number(words) => view! { <th scope="col" class="number">{words.to_owned()}</th> }.into_any(),
        Head::Unseen(words) => {
            view! { <th scope="col"><span class="visually-hidden">{words.to_owned()}</span></th> }.into_any()
        }
    };
    let heads = heads.iter().map(head).collect::<Vec<_>>();
    view! {
        <table class="folding">
            {caption}
            <thead>
                <tr>{heads}</tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}
