//! A mail as HTML: one narrow column in a table, since that is what mail programs agree on; styles inline, those for a dark
//! screen in the head, for the programs that read it. It loads nothing: no picture, no font, nothing that tells that it was
//! opened.

use leptos::prelude::*;

use super::{Said, Words};
use crate::document::fragment;
use crate::text;

const DARK: &str = "@media (prefers-color-scheme:dark){\
    .ground{background:#14171c!important}.sheet{background:#1c2026!important;border-color:#343a44!important}\
    .ink{color:#eceef2!important}.soft{color:#b3b9c4!important}.link{color:#9dbdf5!important}\
    .button{background:#9dbdf5!important;color:#10151f!important}}";
const FONT: &str = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const INK: &str = "margin:0 0 16px;font-size:16px;line-height:24px;color:#1d2430";
const SOFT: &str = "margin:0 0 12px;font-size:14px;line-height:21px;color:#566071";
const LINK: &str = "color:#2b4fa3;word-break:break-all";
const BUTTON: &str = "display:inline-block;padding:12px 20px;border-radius:4px;background:#2b4fa3;color:#ffffff;\
                      font-size:16px;line-height:20px;font-weight:600;text-decoration:none";

pub(super) fn document(words: &Words, origin: &str) -> String {
    let subject = text::one_line(&words.subject, 150);
    let html = fragment(|| {
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width,initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <meta name="supported-color-schemes" content="light dark" />
                    <title>{subject.clone()}</title>
                    <style inner_html=DARK></style>
                </head>
                <body class="ground" style="margin:0;padding:0;background:#f3f5f8">
                    <table role="presentation" style="width:100%;border-spacing:0">
                        <tr>
                            <td style="padding:24px 12px;text-align:center">
                                <table
                                    role="presentation"
                                    class="sheet"
                                    style="width:100%;max-width:520px;margin:0 auto;border-spacing:0;background:#ffffff;border:1px solid #dfe3ea;border-radius:8px"
                                >
                                    <tr>
                                        <td style=format!("padding:28px 24px;text-align:start;{FONT}")>
                                            {content(words, subject)}
                                        </td>
                                    </tr>
                                </table>
                                <p class="soft" style=format!("{SOFT};{FONT};padding:16px 0")>
                                    {format!("WorkingAgents · {origin}")}
                                </p>
                            </td>
                        </tr>
                    </table>
                </body>
            </html>
        }
    });
    format!("<!DOCTYPE html>{html}")
}

fn content(words: &Words, subject: String) -> impl IntoView + use<> {
    let greets = words.greets.as_ref().map(|name| format!("Hello {},", text::one_line(name, 120)));
    let before: Vec<_> = greets
        .into_iter()
        .chain(words.before.iter().map(|sentence| text::one_line(sentence, 2_000)))
        .map(|sentence| view! { <p class="ink" style=INK>{sentence}</p> })
        .collect();
    let action = words.action.clone().map(|(label, href)| {
        view! {
            <p style="margin:24px 0">
                <a class="button" href=href style=BUTTON>
                    {label}
                </a>
            </p>
        }
    });
    let after: Vec<_> = words
        .after
        .iter()
        .map(|said| match said {
            Said::Sentence(sentence) => {
                view! { <p class="soft" style=SOFT>{text::one_line(sentence, 2_000)}</p> }.into_any()
            }
            Said::Link(sentence, href) => view! {
                <p class="soft" style=SOFT>
                    {format!("{} ", text::one_line(sentence, 2_000))}
                    <a class="link" href=href.clone() style=LINK>
                        {href.clone()}
                    </a>
                </p>
            }
            .into_any(),
        })
        .collect();
    view! {
        <h1 class="ink" style="margin:0 0 16px;font-size:20px;line-height:28px;color:#1d2430">{subject}</h1>
        {before}
        {action}
        {after}
    }
}
