//! What the strict reader takes and refuses, by example and against serde_json on random texts.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

const DEPTH: usize = 64;

#[test]
fn plain_json_passes() {
    for text in [
        "{}",
        "[]",
        " { } ",
        "[[],{}]",
        r#"{"a":1,"b":[true,false,null,-0.5e+3,"x\u00e9\ud83d\ude00"]}"#,
        r#"{"a":{"a":1},"b":{"a":1}}"#,
        r#""nul \u0000 is allowed""#,
        "0",
        "-0",
        "1E9",
        "{\"\":0}",
        "\n[\t1\r]\n",
    ] {
        assert_eq!(check(text.as_bytes(), DEPTH), Ok(()), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "nul",
        "truefalse",
        "1 2",
        "'a'",
        "\"\n\"",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "\u{feff}{}",
    ] {
        assert!(matches!(check(text.as_bytes(), DEPTH), Err(Flaw::NotJson { .. })), "{text:?}");
    }
    assert_eq!(check(b"[\"\xff\"]", DEPTH), Err(Flaw::NotJson { at: 2 }));
}

#[test]
fn what_two_readers_would_read_differently_is_refused() {
    let key = |key: &str, at| Err(Flaw::DuplicateKey { at, key: key.to_owned() });
    assert_eq!(check(br#"{"a":1,"a":2}"#, DEPTH), key("a", 13));
    assert_eq!(check(br#"{"a":1,"\u0061":2}"#, DEPTH), key("a", 18));
    assert_eq!(check(br#"[{"x":{"b":1,"c":2,"b":3}}]"#, DEPTH), key("b", 25));
    assert_eq!(check(br#"{"/":1,"\/":2}"#, DEPTH), key("/", 14));
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#, r#""\ud83d\ud83d""#] {
        assert!(matches!(check(text.as_bytes(), DEPTH), Err(Flaw::LoneSurrogate { .. })), "{text}");
    }
}

#[test]
fn depth_is_counted_and_a_very_deep_text_does_no_harm() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(check(deep(64).as_bytes(), 64), Ok(()));
    assert_eq!(check(deep(65).as_bytes(), 64), Err(Flaw::TooDeep { at: 64, limit: 64 }));
    assert!(check("{\"a\":".repeat(1_000_000).as_bytes(), 64).is_err());
    assert_eq!(check(deep(1_000_000).as_bytes(), usize::MAX), Ok(()));
}

#[test]
fn an_object_of_very_many_keys_is_checked_in_time() {
    let mut text = String::from("{");
    for n in 0..200_000 {
        text.push_str(&format!("\"key{n}\":0,"));
    }
    text.push_str("\"key7\":0}");
    assert!(matches!(check(text.as_bytes(), DEPTH), Err(Flaw::DuplicateKey { key, .. }) if key == "key7"));
}

/// Texts that are nearly JSON: made of the pieces JSON is made of.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"b\""),
        Just("\"\\u0061\""),
        Just("\"\\ud83d\\ude00\""),
        Just("\"\\ud83d\""),
        Just("1"),
        Just("-0.1e2"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\\"),
        Just("\""),
        Just("\u{e9}"),
        Just("01"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

fn agrees(text: &[u8]) {
    let ours = check(text, usize::MAX);
    let theirs = serde_json::from_slice::<&RawValue>(text);
    match ours {
        Ok(()) | Err(Flaw::DuplicateKey { .. } | Flaw::LoneSurrogate { .. } | Flaw::TooDeep { .. }) => {
            // A duplicate or a surrogate is met before the rest has been read: only a full pass vouches for it.
            if ours.is_ok() {
                assert!(theirs.is_ok(), "we take {:?}", String::from_utf8_lossy(text));
            }
        }
        Err(Flaw::NotJson { .. }) => {
            assert!(theirs.is_err(), "we refuse {:?}", String::from_utf8_lossy(text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic_and_as_serde_json_reads_them(text in proptest::collection::vec(any::<u8>(), 0..64)) {
        agrees(&text);
    }

    #[test]
    fn nearly_json_is_judged_as_serde_json_judges_it(text in nearly_json()) {
        agrees(&text);
    }

    #[test]
    fn what_passes_means_the_same_to_a_reader_that_keeps_the_last_key(text in nearly_json()) {
        if check(&text, 64).is_ok() {
            let value: serde_json::Value = serde_json::from_slice(&text).expect("valid");
            let again = serde_json::to_vec(&value).expect("writable");
            prop_assert_eq!(check(&again, 64), Ok(()));
            prop_assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&again).expect("valid"));
        }
    }
}
