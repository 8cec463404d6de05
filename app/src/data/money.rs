//! What calls cost.

use chrono::{Datelike as _, NaiveDate};
use control::actor::Actor;
use control::money::{
    self, Answer, Dimension, LONGEST, Named, Order, Period, Question, Row, Subject, Sums, Whose,
};
use control::{Control, Error, sheet};
use model::Currency;

use crate::document::Visit;
use crate::pages::money::query::{MoneyQuery, Read, View};
use crate::pages::money::{ACROSS, Content, PAGE, Shown, file, page as view};
use crate::pieces::field::FieldError;

/// Most rows of a file.
const MOST: u32 = 50_000;
/// Rows of a table of two dimensions that are asked for at once, with a cell for each column.
const CROSSED: u16 = 100;

/// Money, or one's own usage. With errors in what was asked for nothing is added up.
pub async fn page(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    whose: Whose,
    mut read: Read,
) -> Result<String, Error> {
    let (today, query) = (money::day(visit.site.now), read.query.clone());
    let period = query.period(today);
    let currencies = money::currencies(control, actor).await?;
    let currency = query.currency.unwrap_or(visit.currency);
    let mut shown = Shown {
        whose,
        today,
        period,
        before: period.before(),
        currency,
        currencies,
        filters: money::named(control, actor, &query.filter).await?,
        total: Answer::default(),
        content: Content::Nothing,
    };
    if read.errors.is_empty() {
        let asked = question(&query, whose, today, currency);
        match answer(control, actor, &query, asked).await {
            Ok((total, content)) => (shown.total, shown.content) = (total, content),
            // There are no sums yet, and very many calls.
            Err(Error::Refused { sentence, .. }) => read.errors.push(FieldError::new("span", sentence)),
            Err(other) => return Err(other),
        }
    } else {
        // Whoever may not ask is not told what is wrong with the question.
        let nothing = Question { limit: 1, ..Question::about(Period::days_to(today, 1), currency) };
        money::spend(control, actor, &Question { whose, ..nothing }).await?;
    }
    Ok(view(visit, read, shown))
}

fn question(query: &MoneyQuery, whose: Whose, today: NaiveDate, currency: Currency) -> Question {
    Question {
        whose,
        filter: query.filter.clone(),
        order: if query.view == View::Change { Order::Change } else { Order::Amount },
        offset: (query.page - 1) * u32::from(PAGE),
        limit: PAGE,
        ..Question::about(query.period(today), currency)
    }
}

async fn answer(
    control: &Control,
    actor: &Actor,
    query: &MoneyQuery,
    asked: Question,
) -> Result<(Answer, Content), Error> {
    let whose = asked.whose;
    let by = query.by(whose);
    let whole = Question { offset: 0, limit: 1, ..asked.clone() };
    if query.view == View::Cross {
        let beside = query.beside(whose);
        let total = money::spend(control, actor, &whole).await?;
        let cross = money::cross(control, actor, &asked.by(&[by]), beside, ACROSS).await?;
        return Ok((total, Content::Cross(by, beside, cross)));
    }
    let time = (query.view == View::When).then(|| by_time(&asked, by));
    let told = match time {
        Some(by) => times(asked, by),
        None => asked.by(&[by]),
    };
    let by = time.unwrap_or(by);
    let mut answers = money::answers(control, actor, &[whole, told.clone()]).await?.into_iter();
    let (total, mut rows) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
    if time.is_some() {
        rows.rows = every(by, told.period, rows.rows);
    }
    Ok((total, Content::Rows(by, rows)))
}

/// By days, unless those are too many.
fn by_time(asked: &Question, by: Dimension) -> Dimension {
    if asked.period.days() > crate::pages::money::query::MOST_DAYS { Dimension::Month } else { by }
}

fn times(asked: Question, by: Dimension) -> Question {
    Question { before: None, order: Order::Time, offset: 0, limit: LONGEST, ..asked }.by(&[by])
}

/// Days and months without a call are there too.
fn every(by: Dimension, period: Period, rows: Vec<Row>) -> Vec<Row> {
    let mut known = rows.into_iter().peekable();
    let day_of = |row: &Row| match row.about.first().map(|named| named.subject) {
        Some(Subject::Day(day)) => Some(day),
        _ => None,
    };
    period
        .from
        .iter_days()
        .take_while(|day| *day < period.until)
        .filter(|day| by == Dimension::Day || day.day() == 1 || *day == period.from)
        .map(|day| if by == Dimension::Month { day.with_day(1).unwrap_or(day) } else { day })
        .map(|day| {
            known.next_if(|row| day_of(row) == Some(day)).unwrap_or_else(|| Row {
                about: vec![Named { subject: Subject::Day(day), name: String::new(), key: None }],
                now: Sums::default(),
                before: Sums::default(),
            })
        })
        .collect()
}

/// What the page shows as a file: all of its rows.
pub async fn csv(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    whose: Whose,
    query: &MoneyQuery,
) -> Result<Vec<u8>, Error> {
    let today = money::day(visit.site.now);
    let currency = query.currency.unwrap_or(visit.currency);
    let asked = Question { offset: 0, ..question(query, whose, today, currency) };
    let (period, before, by) = (asked.period, asked.before, query.by(whose));
    if query.view == View::When {
        let by = by_time(&asked, by);
        let answer = money::spend(control, actor, &times(asked, by)).await?;
        return written(file::rows(by, &every(by, period, answer.rows), period, None, currency));
    }
    let asked = asked.by(&[by]);
    let mut offset = 0;
    if query.view == View::Cross {
        let mut out = Vec::new();
        loop {
            let asked = Question { offset, limit: CROSSED, ..asked.clone() };
            let beside = query.beside(whose);
            let cross = money::cross(control, actor, &asked, beside, ACROSS).await?;
            if offset == 0 {
                out.push(file::cross_head(by, beside, &cross, period, currency));
            }
            out.extend(file::cross_rows(by, &cross));
            offset += u32::from(CROSSED);
            if u64::from(offset) >= cross.rows.count || offset >= MOST {
                return written(out);
            }
        }
    }
    let mut rows = Vec::new();
    loop {
        let asked = Question { offset, limit: LONGEST, ..asked.clone() };
        let answer = money::spend(control, actor, &asked).await?;
        rows.extend(answer.rows);
        offset += u32::from(LONGEST);
        if u64::from(offset) >= answer.count || offset >= MOST {
            return written(file::rows(by, &rows, period, before, currency));
        }
    }
}

fn written(rows: Vec<Vec<String>>) -> Result<Vec<u8>, Error> {
    Ok([sheet::MARK, &sheet::lines(rows)?].concat())
}
