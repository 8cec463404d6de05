//! What changed between two definitions of a tool, value by value.

use super::Tree;

/// Most changes that are told.
const CHANGES: usize = 200;
const DEPTH: usize = 24;

/// One value that is not what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Where it is: `inputSchema › properties › city › description`.
    pub path: String,
    /// What it was; none: it was not there.
    pub before: Option<String>,
    /// What it is; none: it is gone.
    pub after: Option<String>,
}

/// Compares two definitions. In the order of the earlier one, then what is new.
pub fn changes(before: &Tree, after: &Tree) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(Some(before), Some(after), &mut Vec::new(), &mut changes);
    changes
}

fn compare(before: Option<&Tree>, after: Option<&Tree>, path: &mut Vec<String>, changes: &mut Vec<Change>) {
    if changes.len() >= CHANGES || before.zip(after).is_some_and(|(before, after)| before.same(after)) {
        return;
    }
    let (one, two) = (steps(before), steps(after));
    // What has nothing inside, or has something else inside than it had, is told as a whole.
    if path.len() >= DEPTH || one.is_none() || two.is_none() {
        changes.push(Change {
            path: path.join(" › "),
            before: before.map(Tree::plain),
            after: after.map(Tree::plain),
        });
        return;
    }
    let (one, two) = (one.unwrap_or_default(), two.unwrap_or_default());
    for (name, value) in &one {
        path.push(name.clone());
        compare(
            Some(value),
            two.iter().find(|(theirs, _)| theirs == name).map(|(_, value)| *value),
            path,
            changes,
        );
        path.pop();
    }
    for (name, value) in two.iter().filter(|(name, _)| one.iter().all(|(theirs, _)| theirs != name)) {
        path.push(name.clone());
        compare(None, Some(value), path, changes);
        path.pop();
    }
}

/// What lies inside a value, by name; none where it is told as a whole: a plain value, a list of such, nothing.
fn steps(value: Option<&Tree>) -> Option<Vec<(String, &Tree)>> {
    match value? {
        Tree::Object(members) => Some(members.iter().map(|(name, value)| (name.clone(), value)).collect()),
        Tree::List(items) if !items.iter().all(Tree::is_plain) => {
            Some(items.iter().enumerate().map(|(at, item)| (format!("entry {}", at + 1), item)).collect())
        }
        _ => None,
    }
}

/// Two texts in three parts: what both begin with, what differs in each, what both end with. Words stay whole.
pub fn parts<'t>(before: &'t str, after: &'t str) -> (&'t str, &'t str, &'t str, &'t str) {
    let boundary =
        |text: &str, at: usize| at == text.len() || text.split_at(at).0.ends_with(char::is_whitespace);
    let mut head = 0;
    for ((at, one), two) in before.char_indices().zip(after.chars()) {
        if one != two {
            break;
        }
        let end = at + one.len_utf8();
        if boundary(before, end) && boundary(after, end) {
            head = end;
        }
    }
    let (one, two) = (before.split_at(head).1, after.split_at(head).1);
    let mut tail = 0;
    for (one_char, two_char) in one.chars().rev().zip(two.chars().rev()) {
        if one_char != two_char {
            break;
        }
        tail += one_char.len_utf8();
    }
    // Back to the beginning of a word.
    let same = one.split_at(one.len() - tail).1;
    let tail = same.find(char::is_whitespace).map_or(0, |at| tail - at);
    let (one_middle, end) = one.split_at(one.len() - tail);
    let (two_middle, _) = two.split_at(two.len() - tail);
    (before.split_at(head).0, one_middle, two_middle, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(before: &str, after: &str) -> Vec<(String, Option<String>, Option<String>)> {
        changes(&Tree::read(before).unwrap(), &Tree::read(after).unwrap())
            .into_iter()
            .map(|change| (change.path, change.before, change.after))
            .collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            said(
                r#"{"name":"a","description":"Reads.","inputSchema":{"required":["x"],"properties":{"x":{"type":"string"},"old":{}}}}"#,
                r#"{"inputSchema":{"properties":{"x":{"type":"number"},"new":{"a":1}},"required":["x","new"]},"description":"Deletes.","name":"a"}"#,
            ),
            [
                ("description".into(), some("Reads."), some("Deletes.")),
                ("inputSchema › required".into(), some("[\"x\"]"), some("[\"x\",\"new\"]")),
                ("inputSchema › properties › x › type".into(), some("string"), some("number")),
                ("inputSchema › properties › old".into(), some("{}"), None),
                ("inputSchema › properties › new".into(), None, some("{\"a\":1}")),
            ]
        );
        assert_eq!(said(r#"{"a":1,"b":2.0}"#, r#"{"b":2,"a":1}"#), []);
    }

    #[test]
    fn the_part_that_differs_is_found() {
        assert_eq!(
            parts("Reads a file now.", "Reads every big file now."),
            ("Reads ", "a", "every big", " file now.")
        );
        assert_eq!(parts("same", "same"), ("same", "", "", ""));
        assert_eq!(parts("", "new text"), ("", "", "new text", ""));
    }

    proptest! {
        #[test]
        fn the_parts_make_the_whole(before in "[ab é👩]{0,12}", after in "[ab é👩]{0,12}") {
            let (head, one, two, tail) = parts(&before, &after);
            prop_assert_eq!(format!("{head}{one}{tail}"), before.clone());
            prop_assert_eq!(format!("{head}{two}{tail}"), after.clone());
        }
    }
}
