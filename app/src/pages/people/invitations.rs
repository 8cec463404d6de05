//! Inviting people, and who was invited and has not come yet.

use control::invitations::{InvitationLine, PAGE};
use control::people::Node;
use leptos::prelude::*;

use super::said;
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::ErrorSummary;
use crate::pieces::folding::Head::{Of, Unseen};
use crate::pieces::folding::folding;
use crate::pieces::form::{Form, SelectField, TextArea};
use crate::pieces::head::PageHead;
use crate::pieces::sign::State;
use crate::text;
use crate::wording::{self, Sign, Tone};

/// The form. `may_own`: whether the reader may make owners; `sends_mail`: whether a mail would go out at all.
pub fn form(visit: &Visit, tree: &[Node], form: &Form, may_own: bool, sends_mail: bool) -> String {
    let links = visit.links();
    let crumbs = vec![
        Crumb::to("People & Agents", links.people()),
        Crumb::to("Invitations", links.invitations()),
        Crumb::here("Invite"),
    ];
    document::page(visit, Place::People, &form.title("Invite people"), crumbs, false, || {
        let begun =
            if form.value("role").is_empty() { form.clone().with("role", "member") } else { form.clone() };
        let fields = view! {
            <form class="sheet" method="post" action=links.invite() novalidate="">
                <TextArea
                    form=begun.clone()
                    name="emails"
                    label="Mail addresses"
                    hint="One on each line, or a list as your mail program has it: `Ada Lovelace <ada@example.com>`. At most 200."
                    longest=60_000
                />
                <SelectField form=begun.clone() name="unit" label="Unit" options=said::unit_options(tree) />
                <SelectField
                    form=begun
                    name="role"
                    label="Role"
                    hint="It holds in the whole organization. Roles on a single unit can be given once they are here."
                    options=said::role_options(may_own)
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">
                        <Icon name="mail" />
                        "Send invitations"
                    </button>
                    <a class="button plain" href=links.people()>
                        "Cancel"
                    </a>
                </div>
            </form>
        };
        let body = if sends_mail { fields.into_any() } else { silent() };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title="Invite people".into_any()
                lead="Each gets a mail with a link that is good for seven days, chooses a password and is in.".into_any()
            />
            {body}
        }
    })
}

fn silent() -> AnyView {
    view! {
        <p class="consequence">
            "This installation sends no mail, so nobody can be invited. Whoever runs it has to set up a mail server first; "
            "until then, they can add people from the command line."
        </p>
    }
    .into_any()
}

/// The list.
pub fn list(visit: &Visit, invitations: &[InvitationLine], total: u64, page: u32) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("People & Agents", links.people()), Crumb::here("Invitations")];
    document::page(visit, Place::People, "Invitations", crumbs, false, || {
        let body =
            if invitations.is_empty() { nobody(&links) } else { table(visit, invitations, total, page) };
        let invite = (!invitations.is_empty()).then(|| {
            view! {
                <a class="button primary" href=links.invite()>
                    <Icon name="mail" />
                    "Invite people"
                </a>
            }
        });
        view! {
            <PageHead title="Invitations".into_any() lead="Who was invited and has not come yet.".into_any()>
                {invite}
            </PageHead>
            {body}
        }
    })
}

fn nobody(links: &Links) -> AnyView {
    view! {
        <section class="empty">
            <h2>"No open invitations"</h2>
            <p>
                "Everybody who was invited has come, or nobody was. An invitation stands here until it is accepted or "
                "withdrawn."
            </p>
            <p>
                <a class="button primary" href=links.invite()>
                    "Invite people"
                </a>
            </p>
        </section>
    }
    .into_any()
}

fn table(visit: &Visit, invitations: &[InvitationLine], total: u64, page: u32) -> AnyView {
    let (links, clock) = (visit.links(), visit.clock());
    let rows = invitations
        .iter()
        .map(|it| {
            let over = it.expires_at <= clock.now;
            let state = if over {
                view! { <State sign=Sign { tone: Tone::Fault, icon: "clock", word: "Link has expired" } /> }.into_any()
            } else {
                view! { "Good until " {said::when(it.expires_at, clock)} }.into_any()
            };
            let by = match &it.invited_by {
                (Some(id), name) => said::person_link(&links, &(*id, name.clone())).into_any(),
                (None, name) => text::name(name).into_any(),
            };
            let email = text::one_line(&it.email, 254);
            view! {
                <tr>
                    <th scope="row" class="who">
                        {text::name(&it.email)}
                        <span class="note">{wording::role(it.role)} " in " {said::unit_link(&links, &it.unit)}</span>
                    </th>
                    <td data-label="Sent">{said::when(it.sent_at, clock)} " by " {by}</td>
                    <td data-label="Link">{state}</td>
                    <td class="row-actions">
                        <form method="post" action=links.resend_invitation(it.id)>
                            <button type="submit" class="button">
                                "Send again"
                                <span class="visually-hidden">" to " {email.clone()}</span>
                            </button>
                        </form>
                        <form method="post" action=links.withdraw_invitation(it.id)>
                            <button type="submit" class="button plain">
                                "Withdraw"
                                <span class="visually-hidden">" the one to " {email}</span>
                            </button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let pages = said::pages(total, page, PAGE, "invitations", |page| match page {
        0 => links.invitations(),
        page => format!("{}?page={}", links.invitations(), page + 1),
    });
    let caption = said::counted(total, "invitation", "invitations");
    view! {
        {folding(Of(&caption), &[Of("To"), Of("Sent"), Of("Link"), Unseen("What to do")], rows)}
        {pages}
    }
    .into_any()
}
