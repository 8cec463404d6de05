//! The front page.

use chrono::Datelike as _;
use control::actor::Actor;
use control::home::{first_steps, needs, now};
use control::money::{self, Dimension, Period, Question, Subject, Whose};
use control::{Control, Error};
use model::Money;

use crate::document::Visit;
use crate::links::Links;
use crate::pages::home::{self, Month, Shown};
use crate::wording::Clock;

/// Departments that the front page names.
const DEPARTMENTS: u16 = 6;

/// The whole of it.
pub async fn page(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    let shown = Shown {
        needs: needs(control, actor).await?,
        now: now(control, actor).await?,
        month: month(control, actor, visit).await?,
        steps: first_steps(control, actor).await?,
    };
    Ok(home::page(visit, shown))
}

/// The last hour alone, as HTML.
pub async fn figures(control: &Control, actor: &Actor, links: &Links, clock: Clock) -> Result<String, Error> {
    Ok(home::now::html(&now(control, actor).await?, links, clock))
}

/// This month's spend: of all departments for those who may see it, else one's own.
async fn month(control: &Control, actor: &Actor, visit: &Visit) -> Result<Month, Error> {
    let today = visit.site.now.date_naive();
    let period = Period::month_to(today);
    let everybodys = money::may_read(actor);
    let question = Question {
        whose: if everybodys { Whose::Everybodys } else { Whose::Mine },
        limit: DEPARTMENTS,
        ..Question::about(period, visit.currency)
    };
    let question = if everybodys { question.by(&[Dimension::Department]) } else { question };
    let answer = money::spend(control, actor, &question).await?;
    let money = |amount| Money { amount, currency: visit.currency };
    let links = visit.links();
    let departments = answer
        .rows
        .iter()
        .filter(|_| everybodys)
        .filter_map(|row| {
            let about = row.about.first()?;
            let (name, href) = match about.subject {
                Subject::Unit(unit) => (about.name.clone(), Some(links.unit(unit))),
                _ => ("In no department".to_owned(), None),
            };
            Some((name, href, money(row.now.amount), money(row.before.amount)))
        })
        .collect::<Vec<_>>();
    let before = period.before();
    let last = before.last();
    Ok(Month {
        everybodys,
        more: if everybodys { answer.count.saturating_sub(departments.len() as u64) } else { 0 },
        departments,
        total: money(answer.total.amount),
        before: money(answer.total_before.amount),
        name: today.format("%B").to_string(),
        compared: format!("{} to {} {}", before.from.day(), last.day(), last.format("%B")),
    })
}
