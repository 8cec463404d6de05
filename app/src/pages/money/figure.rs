//! Figures of money: rounded to be read, exact to be looked up, never more precise than they are.

use chrono::{Datelike as _, NaiveDate};
use control::money::Period;
use leptos::prelude::*;
use model::Currency;
use rust_decimal::{Decimal, RoundingStrategy};

/// An amount to be read, without its currency: cents, thousands apart; below a cent the two figures that matter.
pub fn amount(amount: Decimal) -> String {
    let cent = Decimal::new(1, 2);
    let small = !amount.is_zero() && amount.abs() < cent;
    let rounded = if small {
        let figures = amount.round_sf_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        figures.unwrap_or(amount).normalize()
    } else {
        let mut cents = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        cents.rescale(2);
        cents
    };
    let text = rounded.abs().to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { "−" } else { "" };
    format!("{sign}{}.{rest}", apart(whole))
}

/// Digits in groups of three.
fn apart(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The same with its sign: `+12.40`, `−3.00`, `±0.00`.
pub fn signed(difference: Decimal) -> String {
    if difference.is_zero() {
        "±0.00".to_owned()
    } else if difference.is_sign_positive() {
        format!("+{}", amount(difference))
    } else {
        amount(difference)
    }
}

/// How much more or less it is, as people say it; none where there is nothing to compare with.
pub fn percent(now: Decimal, before: Decimal) -> Option<String> {
    if before.is_zero() {
        return (!now.is_zero()).then(|| "new".to_owned());
    }
    let change = now.checked_sub(before)?.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(before)?;
    Some(if change >= Decimal::ONE_THOUSAND {
        // “+12,345%” tells less than this does.
        format!("×{}", now.checked_div(before)?.round())
    } else if change.round().is_zero() {
        "±0%".to_owned()
    } else {
        let sign = if change.is_sign_negative() { "−" } else { "+" };
        format!("{sign}{}%", change.abs().round())
    })
}

/// Its part of a whole: `43%`, `<1%`; none of nothing.
pub fn share(part: Decimal, whole: Decimal) -> Option<String> {
    if whole.is_zero() {
        return None;
    }
    let percent = part.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(whole)?;
    Some(if percent.is_zero() {
        "0%".to_owned()
    } else if percent < Decimal::ONE {
        "<1%".to_owned()
    } else {
        format!("{}%", percent.round())
    })
}

/// A decimal as a fraction of another, for lengths of bars: 0 to 1.
pub fn fraction(part: Decimal, whole: Decimal) -> f64 {
    let float = |decimal: Decimal| decimal.to_string().parse::<f64>().unwrap_or(0.0);
    let whole = float(whole);
    if whole <= 0.0 { 0.0 } else { (float(part) / whole).clamp(0.0, 1.0) }
}

/// The least round number that is not less: 1, 2 or 5 with zeros. What an axis ends with.
pub fn round_up(amount: Decimal) -> Decimal {
    if amount <= Decimal::ZERO {
        return Decimal::ONE;
    }
    let mut step = Decimal::new(1, 10);
    loop {
        for times in [1, 2, 5] {
            let Some(end) = step.checked_mul(Decimal::from(times)) else { return amount };
            if end >= amount {
                return end.normalize();
            }
        }
        match step.checked_mul(Decimal::TEN) {
            Some(next) => step = next,
            None => return amount,
        }
    }
}

/// An amount with its currency; exact on hover and for machines.
#[component]
pub fn Figure(
    /// How much.
    amount: Decimal,
    /// Of what.
    currency: Currency,
) -> impl IntoView {
    let exact = format!("{} {currency}", amount.normalize());
    view! {
        <data class="amount" class:zero=amount.is_zero() value=amount.normalize().to_string() title=exact>
            {self::amount(amount)}
        </data>
    }
    .into_any()
}

/// How it differs from the period before.
#[component]
pub fn Delta(
    /// In the period.
    now: Decimal,
    /// In the one before.
    before: Decimal,
    /// Of what.
    currency: Currency,
    /// The period before, in words.
    than: String,
) -> impl IntoView {
    let difference = now - before;
    let title = format!("{} {currency} in {than}", before.normalize());
    let percent = percent(now, before)
        .map(|percent| view! { " " <span class="percent">{format!("({percent})")}</span> });
    let tone = if difference.is_zero() {
        "none"
    } else if difference.is_sign_positive() {
        "more"
    } else {
        "less"
    };
    view! {
        <data class="difference" data-change=tone value=difference.normalize().to_string() title=title>
            {signed(difference)}
            {percent}
        </data>
    }
    .into_any()
}

/// A day: `22 Nov`, with the year when it is another than `today`'s.
pub fn day(day: NaiveDate, today: NaiveDate) -> String {
    let pattern = if day.year() == today.year() { "%-d %b" } else { "%-d %b %Y" };
    day.format(pattern).to_string()
}

/// A period in words: `November 2026`, `1–22 Nov`, `28 Oct – 3 Nov`, `22 Nov`.
pub fn period(period: Period, today: NaiveDate) -> String {
    let (from, last) = (period.from, period.last());
    let whole_month = from.day() == 1
        && period.until.day() == 1
        && (from.year(), from.month()) == (last.year(), last.month());
    if whole_month {
        from.format("%B %Y").to_string()
    } else if from == last {
        day(from, today)
    } else if (from.year(), from.month()) == (last.year(), last.month()) {
        format!("{}–{}", from.day(), day(last, today))
    } else {
        format!("{} – {}", day(from, today), day(last, today))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_read_in_cents_and_below_in_what_matters() {
        for (exact, read) in [
            ("0", "0.00"),
            ("12", "12.00"),
            ("1234567.895", "1,234,567.90"),
            ("0.0125", "0.01"),
            ("0.0025", "0.0025"),
            ("0.00123456", "0.0012"),
            ("-3", "−3.00"),
            ("999.999", "1,000.00"),
        ] {
            assert_eq!(amount(decimal(exact)), read, "{exact}");
        }
        assert_eq!(signed(decimal("4.5")), "+4.50");
        assert_eq!(signed(decimal("-4.5")), "−4.50");
        assert_eq!(signed(decimal("0")), "±0.00");
    }

    #[test]
    fn changes_are_no_more_precise_than_they_are() {
        for (now, before, said) in [
            ("118", "100", Some("+18%")),
            ("1", "3", Some("−67%")),
            ("1.001", "1", Some("±0%")),
            ("5", "0", Some("new")),
            ("0", "0", None),
            ("0", "5", Some("−100%")),
            ("500", "10", Some("×50")),
        ] {
            assert_eq!(percent(decimal(now), decimal(before)).as_deref(), said, "{now} after {before}");
        }
        assert_eq!(share(decimal("0.1"), decimal("100")).as_deref(), Some("<1%"));
        assert_eq!(share(decimal("1"), decimal("3")).as_deref(), Some("33%"));
        assert_eq!(share(decimal("1"), decimal("0")), None);
    }

    #[test]
    fn an_axis_ends_with_a_round_number() {
        for (amount, end) in [("0", "1"), ("0.0003", "0.0005"), ("1", "1"), ("13", "20"), ("4821.5", "5000")]
        {
            assert_eq!(round_up(decimal(amount)), decimal(end));
        }
        assert!(round_up(Decimal::MAX) == Decimal::MAX);
    }

    #[test]
    fn periods_in_words() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let said = |from, last| period(Period::of(date(from), date(last)).unwrap(), date("2026-11-22"));
        assert_eq!(said("2026-10-01", "2026-10-31"), "October 2026");
        assert_eq!(said("2026-11-01", "2026-11-22"), "1–22 Nov");
        assert_eq!(said("2026-10-28", "2026-11-03"), "28 Oct – 3 Nov");
        assert_eq!(said("2025-12-28", "2026-01-03"), "28 Dec 2025 – 3 Jan");
        assert_eq!(said("2026-11-22", "2026-11-22"), "22 Nov");
    }
}
