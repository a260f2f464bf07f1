//! Every leniency towards old clients, and where it ends.

use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::json;

use super::*;

fn fields(body: &str) -> Fields {
    Fields::parse(body.as_bytes()).expect("it is an object")
}

fn message<T: std::fmt::Debug>(result: Result<T, WireError>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn members_are_found_in_any_case_and_the_exact_one_wins() {
    for body in [r#"{"id":1,"Id":2,"ID":3}"#, r#"{"Id":2,"iD":1,"ID":3}"#] {
        assert_eq!(fields(body).int("Id"), Ok(Some(2)), "{body}");
    }
    assert_eq!(fields(r#"{"loggingLevelid":4}"#).int("LoggingLevelId"), Ok(Some(4)));
    assert_eq!(fields(r#"{"Idx":4}"#).int("Id"), Ok(None));
}

#[test]
fn the_first_alias_that_is_there_wins() {
    let names = ["Enable", "Enabled"];
    assert_eq!(fields(r#"{"Enabled":true}"#).bool(names), Ok(Some(true)));
    assert_eq!(fields(r#"{"Enabled":true,"enable":false}"#).bool(names), Ok(Some(false)));
    assert_eq!(message(fields("{}").required_bool(names)), "Enable is required.");
    assert_eq!(message(fields(r#"{"enabled":"x"}"#).bool(names)), "enabled must be true or false.");
}

#[test]
fn integers_are_numbers_or_their_text() {
    for (value, int) in [
        ("5", Some(5)),
        ("-5", Some(-5)),
        ("\"148325\"", Some(148_325)),
        ("\" 7 \"", Some(7)),
        ("3.0", Some(3)),
        ("1e3", Some(1000)),
        ("9223372036854775807", Some(i64::MAX)),
        ("null", None),
        ("\"\"", None),
    ] {
        assert_eq!(fields(&format!("{{\"A\":{value}}}")).int("A"), Ok(int), "{value}");
    }
    for value in ["3.5", "\"3.0\"", "\"x\"", "true", "[]", "{}", "9223372036854775808", "1e300", "\"0x1\""] {
        let fields = fields(&format!("{{\"A\":{value}}}"));
        assert_eq!(message(fields.int("A")), "A must be a whole number.", "{value}");
    }
}

#[test]
fn booleans_are_words_in_any_case_or_one_and_zero() {
    for (value, bool) in [
        ("true", Some(true)),
        ("\"True\"", Some(true)),
        ("\"FALSE\"", Some(false)),
        ("1", Some(true)),
        ("0", Some(false)),
        ("\"1\"", Some(true)),
        ("null", None),
        ("\"\"", None),
    ] {
        assert_eq!(fields(&format!("{{\"A\":{value}}}")).bool("A"), Ok(bool), "{value}");
    }
    for value in ["2", "-1", "\"yes\"", "0.5", "[]", "{}"] {
        assert_eq!(message(fields(&format!("{{\"A\":{value}}}")).bool("A")), "A must be true or false.", "{value}");
    }
}

#[test]
fn texts_are_strings_or_numbers() {
    for (value, text) in
        [("\"x \"", Some("x ")), ("\"\"", Some("")), ("12", Some("12")), ("2.0", Some("2")), ("2.5", Some("2.5")), ("null", None)]
    {
        assert_eq!(fields(&format!("{{\"A\":{value}}}")).text("A"), Ok(text.map(str::to_owned)), "{value}");
    }
    for value in ["true", "[]", "{}"] {
        assert_eq!(message(fields(&format!("{{\"A\":{value}}}")).text("A")), "A must be a string.", "{value}");
    }
}

#[test]
fn lists_hold_objects_only() {
    let inner = |body: &str| fields(body).list("Inclusions");
    assert_eq!(inner("{}"), Ok(None));
    assert_eq!(inner(r#"{"Inclusions":null}"#), Ok(None));
    assert_eq!(inner(r#"{"inclusions":[]}"#), Ok(Some(Vec::new())));
    assert_eq!(inner(r#"{"Inclusions":[{"A":1},{}]}"#), Ok(Some(vec![fields(r#"{"A":1}"#), Fields::empty()])));
    for value in ["[1]", "[{},null]", "{}", "\"\"", "5"] {
        let list = inner(&format!("{{\"Inclusions\":{value}}}"));
        assert_eq!(message(list), "Inclusions must be a list of objects.", "{value}");
    }
    assert_eq!(fields(r#"{"auth":{"A":1}}"#).object("Auth"), Ok(Some(fields(r#"{"A":1}"#))));
    assert_eq!(message(fields(r#"{"auth":[]}"#).object("Auth")), "auth must be an object.");
}

#[test]
fn absent_null_and_empty_are_told_apart() {
    let fields = fields(r#"{"Null":null,"Empty":""}"#);
    let told = |name: &str| (fields.is_present(name), fields.is_null(name));
    assert_eq!([told("null"), told("Empty"), told("Absent")], [(true, true), (true, false), (false, false)]);
    assert_eq!(message(fields.required_int("Null")), "Null is required.");
    assert_eq!(message(fields.required_int("Empty")), "Empty is required.");
    assert_eq!(message(fields.required_text("Absent")), "Absent is required.");
    assert_eq!(fields.required_text("Empty"), Ok(String::new()));
}

#[test]
fn a_body_is_one_object_strict_or_relaxed() {
    assert_eq!(fields("\u{feff} {\"A\":1} "), fields("{A:1}"));
    assert_eq!(fields(r#"{"Action":'StartManual',"Id":1}"#).text("Action"), Ok(Some("StartManual".to_owned())));
    assert_eq!(fields(r#"{"A":1,"A":2}"#).int("A"), Ok(Some(2)));
    for body in ["", " \r\n"] {
        assert_eq!(message(Fields::parse(body.as_bytes())), "The body is empty; it must be a JSON object.");
    }
    for body in ["[]", "5", "'x'", "null"] {
        assert_eq!(message(Fields::parse(body.as_bytes())), "The body must be a JSON object.");
    }
    assert!(message(Fields::parse(b"{\"A\":}")).starts_with("The body is not JSON: "));
    assert!(Fields::parse(b"{\"A\":\"\xff\"}").is_err());
    assert!(Fields::parse("{'a':".repeat(100_000).as_bytes()).is_err());
    assert_eq!(Fields::from_value(json!({"A": 1})), Ok(fields("{\"A\":1}")));
}

#[test]
fn a_form_holds_texts() {
    let form = Fields::parse_form(b"username=a%2Bb+c&Remember=true&empty&x=1&x=2&").expect("it is a form");
    assert_eq!(form.text("username"), Ok(Some("a+b c".to_owned())));
    assert_eq!(form.bool("remember"), Ok(Some(true)));
    assert_eq!(form.text("empty"), Ok(Some(String::new())));
    assert_eq!(form.int("x"), Ok(Some(2)));
    assert_eq!(Fields::parse_form(b""), Ok(Fields::empty()));
    assert_eq!(message(Fields::parse_form(b"a=%ff")), "The form is not UTF-8.");
    assert_eq!(message(Fields::parse_form(b"a=\xff")), "The form is not UTF-8.");
}

proptest! {
    #[test]
    fn every_integer_is_read_in_both_spellings(number in any::<i64>()) {
        prop_assert_eq!(fields(&format!("{{\"A\":{number}}}")).int("A"), Ok(Some(number)));
        prop_assert_eq!(fields(&format!("{{\"A\":\"{number}\"}}")).int("A"), Ok(Some(number)));
        prop_assert_eq!(fields(&format!("{{\"A\":{number}}}")).text("A"), Ok(Some(number.to_string())));
    }

    #[test]
    fn no_bytes_make_a_door_panic(body in any::<Vec<u8>>()) {
        let _ = (Fields::parse(&body), Fields::parse_form(&body));
    }
}
