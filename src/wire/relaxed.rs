//! JSON as people type it: strings between single quotes and member names without quotes are taken, and nothing else besides JSON.

use serde_json::{Map, Value};

/// The deepest nesting that `serde_json` takes; beyond it, texts are refused, so that no stack overflows.
const MAX_DEPTH: u8 = 127;

/// Reads `text`; `None` when it is no such JSON. Of two members with one name the last counts, as in strict JSON.
pub fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(MAX_DEPTH)?;
    reader.peek().is_none().then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    /// Always between two characters.
    at: usize,
}

impl Reader<'_> {
    /// The first byte behind white space, which is skipped.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next.then_some(())
    }

    fn value(&mut self, depth: u8) -> Option<Value> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' | b'\'' => self.string().map(Value::String),
            _ => serde_json::from_str(self.word()?).ok(),
        }
    }

    fn object(&mut self, depth: u8) -> Option<Value> {
        let mut members = Map::new();
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(Value::Object(members));
        }
        loop {
            let name = self.name()?;
            self.take(b':')?;
            members.insert(name, self.value(depth)?);
            match self.take(b',') {
                Some(()) => {}
                None => return self.take(b'}').map(|()| Value::Object(members)),
            }
        }
    }

    fn array(&mut self, depth: u8) -> Option<Value> {
        let mut elements = Vec::new();
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            match self.take(b',') {
                Some(()) => {}
                None => return self.take(b']').map(|()| Value::Array(elements)),
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        match self.peek()? {
            b'"' | b'\'' => self.string(),
            first if first.is_ascii_digit() || first == b'-' => None,
            _ => self.word().map(str::to_owned),
        }
    }

    /// The longest run of what numbers, literals and plain names are made of.
    fn word(&mut self) -> Option<&str> {
        let rest = &self.text[self.at..];
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-' | '+' | '.');
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then_some(&rest[..length])
    }

    /// A string between either quotes, rewritten to double ones, so that its escapes are read as everywhere.
    fn string(&mut self) -> Option<String> {
        let quote = char::from(self.peek()?);
        let mut strict = String::from("\"");
        let mut letters = self.text[self.at + 1..].char_indices();
        while let Some((offset, letter)) = letters.next() {
            match letter {
                _ if letter == quote => {
                    self.at += 1 + offset + 1;
                    strict.push('"');
                    return serde_json::from_str(&strict).ok();
                }
                '"' => strict.push_str("\\\""),
                '\\' => match letters.next()?.1 {
                    '\'' => strict.push('\''),
                    escaped => strict.extend(['\\', escaped]),
                },
                _ => strict.push(letter),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::json;

    #[test]
    fn single_quotes_and_bare_names_are_taken() {
        for (text, value) in [
            ("{'Action': 'StartManual', \"Id\": 5}", json!({"Action": "StartManual", "Id": 5})),
            ("{Action:'Start',snake_case:null,$x:[true,-1.5e3]}", json!({"Action": "Start", "snake_case": null, "$x": [true, -1500.0]})),
            (r#"{'it\'s': 'a "quote" and \u0041\n'}"#, json!({"it's": "a \"quote\" and A\n"})),
            (r#"{"it's": "don't \" stop"}"#, json!({"it's": "don't \" stop"})),
            (" { 'a' : { } , b : [ ] }\r\n", json!({"a": {}, "b": []})),
            ("{'ä': 'ö', ü: '😀'}", json!({"ä": "ö", "ü": "😀"})),
            ("{a: 1, 'a': 2}", json!({"a": 2})),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_relaxed() {
        for text in [
            "",
            " ",
            "{",
            "{a}",
            "{a:}",
            "{a:1,}",
            "[1,]",
            "[,1]",
            "{a:b}",
            "{a:1} x",
            "{a 1}",
            "{1:2}",
            "{-a:2}",
            "{'a:1}",
            "{a:'b\"}",
            "{a:01}",
            "{a:'\\x41'}",
            "{a:'\n'}",
            "{a:'\\",
            "{a:1;}",
            "{\"a\":\u{a0}1}",
            "// {}",
            "{a:.5}",
            "{a:NaN}",
            "{:1}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn nesting_is_taken_as_deep_as_in_strict_json() {
        for depth in [1, 126, 127, 128, 129, 200_000] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(parse(&text).is_some(), serde_json::from_str::<Value>(&text).is_ok(), "{depth}");
            assert_eq!(parse(&format!("{}1{}", "{'a':".repeat(depth), "}".repeat(depth))).is_some(), depth <= 127, "{depth}");
        }
    }

    proptest! {
        #[test]
        fn strict_json_means_the_same(text in "[\\[\\]{}:,\"0-9a-z\\\\ u.-]{0,12}|\\{\"[a-c\\\\n]{1,3}\":(\\[1,2\\]|null|\"x\")\\}", whole in any::<i64>()) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(&text), Some(value));
            }
            prop_assert_eq!(parse(&whole.to_string()), Some(json!(whole)));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), messy in "[{}'\"\\\\:,a1é \\[\\]]{0,40}") {
            let _ = (parse(&text), parse(&messy));
        }
    }
}
