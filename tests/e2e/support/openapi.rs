//! `docs/cloud-backup.openapi.yaml`, and whether an answer has the form that it gives: the part of OpenAPI 3.0 that it uses.

use std::sync::OnceLock;

use regex_lite::Regex;
use serde_json::Value;
use strongroom::server::control::operation::split;

pub struct Document(pub Value);

/// What a schema of the document may say; another word would go unchecked.
pub const KEYWORDS: [&str; 18] = [
    "$ref",
    "additionalProperties",
    "description",
    "enum",
    "example",
    "items",
    "maxLength",
    "maxProperties",
    "maximum",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
    "format",
];

impl Document {
    pub fn shared() -> &'static Self {
        static DOCUMENT: OnceLock<Document> = OnceLock::new();
        DOCUMENT.get_or_init(|| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cloud-backup.openapi.yaml");
            let text = std::fs::read_to_string(path).expect("the document is there");
            Self(serde_saphyr::from_str(&text).expect("the document is YAML"))
        })
    }

    /// Method in capitals, path, operation.
    pub fn operations(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.iter().map(move |(method, operation)| (method.to_ascii_uppercase(), path.as_str(), operation))
        })
    }

    /// The operation that a request asks for; `path` as it was sent, from the root.
    pub fn find(&self, method: &str, path: &str) -> Option<&Value> {
        let path = plain(path);
        let fits = |template: &str| {
            let (segments, path) = (template.split('/'), path.split('/'));
            segments.clone().count() == path.clone().count() && segments.zip(path).all(|(one, other)| one == other || one.starts_with('{'))
        };
        let found = self.operations().filter(|(known, template, _)| known == method && fits(template));
        found.min_by_key(|(_, template, _)| template.matches('{').count()).map(|(_, _, operation)| operation)
    }

    /// What is wrong with the answer to that operation.
    pub fn complaints(&self, operation: &Value, status: u16, body: &str) -> Vec<String> {
        let Some(response) = operation["responses"].get(status.to_string()).map(|response| self.resolved(response)) else {
            return vec![format!("{} may not answer {status}", operation["operationId"])];
        };
        match (response.get("content"), body) {
            (None, "") => Vec::new(),
            (None, _) => vec!["a body where there is none".to_owned()],
            (Some(content), _) => match serde_json::from_str(body) {
                Ok(value) => self.mismatches(&content["application/json"]["schema"], &value, "$"),
                Err(error) => vec![error.to_string()],
            },
        }
    }

    /// Where `$ref` leads to.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(target) = value.get("$ref").and_then(Value::as_str) else { return value };
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} is in this document"));
        self.0.pointer(pointer).unwrap_or_else(|| panic!("{target} is there"))
    }

    /// How the value differs from the schema.
    pub fn mismatches(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.resolved(schema);
        if value.is_null() && schema["nullable"] == true {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{at}: {what}, not {value}"));
            }
        };
        if let Some(kind) = schema["type"].as_str() {
            expect(is_of(kind, value), kind);
        }
        if let Some(values) = schema["enum"].as_array() {
            expect(values.contains(value), "one of the values");
        }
        if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
            expect(Regex::new(pattern).expect("a pattern").is_match(text), pattern);
        }
        let size = |value: &Value| match value {
            Value::Number(number) => ("imum", number.as_f64()),
            Value::String(text) => ("Length", Some(text.chars().count() as f64)),
            Value::Object(members) => ("Properties", Some(members.len() as f64)),
            _ => ("imum", None),
        };
        if let (word, Some(size)) = size(value) {
            expect(schema[format!("min{word}")].as_f64().is_none_or(|least| size >= least), "more");
            expect(schema[format!("max{word}")].as_f64().is_none_or(|most| size <= most), "less");
        }
        if let Some(members) = value.as_object() {
            wrong.extend(self.wrong_members(schema, members, at));
        }
        for (place, element) in value.as_array().into_iter().flatten().enumerate() {
            wrong.extend(schema.get("items").into_iter().flat_map(|items| self.mismatches(items, element, &format!("{at}[{place}]"))));
        }
        wrong
    }

    fn wrong_members(&self, schema: &Value, members: &serde_json::Map<String, Value>, at: &str) -> Vec<String> {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|name| !members.contains_key(*name)).map(|name| format!("{at} has no {name}"));
        let mut wrong: Vec<String> = missing.collect();
        for (name, member) in members {
            match schema["properties"].get(name) {
                Some(schema) => wrong.extend(self.mismatches(schema, member, &format!("{at}.{name}"))),
                None if schema["additionalProperties"] == false => wrong.push(format!("{at} may not have {name}")),
                None => {}
            }
        }
        wrong
    }
}

/// Without tenant, query, final slash and `.json`.
fn plain(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match path.strip_prefix("/v1.0/") {
        None => path.to_owned(),
        Some(below) => match split(below).1.join("/") {
            resource if resource.is_empty() => "/v1.0".to_owned(),
            resource => format!("/v1.0/{resource}"),
        },
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => panic!("{kind} is no type"),
    }
}

/// The answer has the form that the document gives, where the request is one of its operations.
#[track_caller]
pub fn expect_documented(method: &str, path: &str, status: u16, body: &str) {
    let is_miss = [401, 405, 501].contains(&status) || body.contains("There is no such path") || body.contains("The tenant in the URL");
    match Document::shared().find(method, path) {
        _ if is_miss => {}
        None => panic!("{method} {path} is not documented"),
        Some(operation) => {
            let complaints = Document::shared().complaints(operation, status, body);
            assert!(complaints.is_empty(), "{method} {path}: {complaints:#?}");
        }
    }
}
