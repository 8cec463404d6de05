//! URI templates (RFC 6570), as far as telling whether a URI could have come from one. Which values a URI has for a
//! template's variables nobody needs to know here: the upstream server reads it itself.

/// Expressions of a template beyond this number are not looked at: it fits nothing.
const MOST: usize = 32;

/// Whether a URI fits a template. An expression stands for any text without `/`, `?` and `#`, as its values are
/// percent-encoded (section 3.2.2); one whose operator lets them through (`+`, `#`, `/`, `?`, `&`) for any text.
pub(crate) fn fits(template: &str, uri: &str) -> bool {
    let Some(parts) = parts(template) else { return false };
    let uri = uri.as_bytes();
    // Up to which bytes of the URI the parts so far can have come.
    let mut reached = vec![false; uri.len() + 1];
    if let Some(begin) = reached.first_mut() {
        *begin = true;
    }
    for part in parts {
        let mut next = vec![false; reached.len()];
        let mut within = false;
        for (at, place) in next.iter_mut().enumerate() {
            let came = |back: usize| {
                at.checked_sub(back).and_then(|from| reached.get(from)).copied().unwrap_or(false)
            };
            *place = match part {
                Part::Text(text) => {
                    let text = text.as_bytes();
                    came(text.len()) && uri.get(..at).is_some_and(|read| read.ends_with(text))
                }
                Part::Value { reserved } => {
                    let byte = at.checked_sub(1).and_then(|last| uri.get(last));
                    let ended = !reserved && byte.is_some_and(|byte| matches!(byte, b'/' | b'?' | b'#'));
                    within = came(0) || (within && !ended);
                    within
                }
            };
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[derive(Clone, Copy)]
enum Part<'t> {
    Text(&'t str),
    Value { reserved: bool },
}

/// None: it is no template.
fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (expression, after) = after.split_once('}')?;
        if text.contains('}') || expression.is_empty() || parts.len() >= 2 * MOST {
            return None;
        }
        parts.push(Part::Text(text));
        parts.push(Part::Value { reserved: expression.starts_with(['+', '#', '/', '?', '&']) });
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_ends_where_its_operator_says() {
        for (template, uri, expected) in [
            ("test://template/{id}/data", "test://template/7/data", true),
            ("test://template/{id}/data", "test://template/7/8/data", false),
            ("test://template/{id}/data", "test://template//data", true),
            ("file:///{+path}", "file:///a/b?c", true),
            ("file:///{path}", "file:///a/b", false),
            ("file:///{path}", "file:///a#b", false),
            ("x:{a}-{b}", "x:1-2-3", true),
            ("x:{a}{?q}", "x:1?q=2", true),
            ("x:é{a}", "x:éß", true),
            ("x:fixed", "x:fixed", true),
            ("x:fixed", "x:fixed2", false),
            ("x:{a", "x:{a", false),
            ("x:}a", "x:}a", false),
            ("x:{}", "x:", false),
        ] {
            assert_eq!(fits(template, uri), expected, "{template} {uri}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_texts_are_compared_without_panic(template in "[{}+/?a-cé]{0,24}", uri in "[/?a-cé]{0,24}") {
            let _ = fits(&template, &uri);
        }

        #[test]
        fn what_a_template_makes_fits_it(parts in proptest::collection::vec(("[a-c/]{0,3}", "[a-c]{0,4}"), 1..6)) {
            let template: String = parts.iter().enumerate().map(|(n, (text, _))| format!("{text}{{v{n}}}")).collect();
            let uri: String = parts.iter().map(|(text, value)| format!("{text}{value}")).collect();
            prop_assert!(fits(&template, &uri));
        }
    }
}
