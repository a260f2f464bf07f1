//! The document of the Cloud Backup API tells what the server does: all of it, and nothing else.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use strongroom::server::control::operation::{Operation, split};

use crate::control_roles::{TABLE, place};
use crate::support::fleet::Api;
use crate::support::openapi::{Document, KEYWORDS, expect_documented};
use crate::support::server::TestServer;
use crate::support::stage::Stage;
use crate::support::talk::Talk;
use crate::support::user::{User, post_tokens};

/// Calls `see` for the value and everything in it.
fn walk<'a>(value: &'a Value, see: &mut impl FnMut(&'a Value)) {
    see(value);
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| walk(element, see)),
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        _ => {}
    }
}

#[test]
fn the_document_is_sound() {
    let document = Document::shared();
    assert_eq!(document.0["openapi"], "3.0.3");
    walk(&document.0, &mut |value| _ = document.resolved(value));
    let mut ids = BTreeSet::new();
    for (method, path, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has an id"));
        assert!(ids.insert(id), "{id} is given once");
        assert!(operation["summary"].is_string() && operation["tags"].is_array() && operation["responses"].is_object(), "{id}");
        let named: Vec<&str> = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let declared: Vec<&str> = parameters.filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(named, declared, "{id}");
        let sends = matches!(method.as_str(), "PUT" | "POST");
        assert!(sends || operation.get("requestBody").is_none(), "{id}: a {method} has no body");
    }
    let schemas = document.0["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        let mut used = 0;
        walk(&document.0, &mut |value| used += usize::from(value["$ref"] == format!("#/components/schemas/{name}")));
        assert!(used > 0, "{name} is used");
        expect_known_words(name, schema);
    }
}

/// A word that nothing checks would be a promise of nobody.
fn expect_known_words(name: &str, schema: &Value) {
    for word in schema.as_object().unwrap_or_else(|| panic!("{name} is a schema")).keys() {
        assert!(KEYWORDS.contains(&word.as_str()), "{word} in {name}");
    }
    for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
        expect_known_words(&format!("{name}.{member}"), schema);
    }
    if let Some(items) = schema.get("items") {
        expect_known_words(&format!("{name}[]"), items);
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |id, word| format!("{id}{}{}", word[..1].to_ascii_uppercase(), &word[1..]))
}

#[test]
fn every_operation_is_in_the_document_and_nothing_else_is() {
    let document = Document::shared();
    let mut told = BTreeSet::from(["listVersions", "showVersion", "logIn", "findUser", "checkApi", "checkHealth"].map(str::to_owned));
    for (request, body, ..) in &TABLE {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let path: Vec<&str> = path.split('/').map(|segment| if segment.starts_with('<') { "7" } else { segment }).collect();
        let path = path.join("/");
        let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
        let operation = Operation::of(&parsed, &split(&path[1..]).1).unwrap_or_else(|miss| panic!("{request}: {miss:?}"));
        let found = document.find(method, &format!("/v1.0{path}")).unwrap_or_else(|| panic!("{request} is in the document"));
        assert_eq!(found["operationId"], camel(place(&operation)), "{request}");
        assert_eq!(found.get("requestBody").is_some(), !body.is_empty(), "{request}");
        told.insert(camel(place(&operation)));
    }
    let documented: BTreeSet<String> =
        document.operations().map(|(_, _, operation)| operation["operationId"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(documented, told);
}

#[test]
fn every_path_of_the_document_is_routed() {
    let server = TestServer::start();
    let api = Api::new(&server);
    let mut talk = Talk::with(&server);
    let headers = format!("X-Auth-Token: {}\r\nAccept: application/json\r\n", api.token);
    for (method, path, operation) in Document::shared().operations() {
        let filled: Vec<&str> = path.split('/').map(|segment| if segment.starts_with('{') { "7" } else { segment }).collect();
        let body = operation.get("requestBody").map(|_| &b"{}"[..]);
        let answer = talk.ask(&method, &filled.join("/"), &headers, body);
        let (status, text) = (answer.head.status, answer.text());
        assert!(![401, 405, 501].contains(&status) && !text.contains("There is no such path"), "{method} {path}: {status} {text}");
        expect_documented(&method, &filled.join("/"), status, &text);
    }
}

#[test]
fn answers_of_every_operation_have_the_documented_form() {
    for server in TestServer::each_catalog() {
        let stage = Stage::of(Api::new(&server));
        let password = stage.agent.work()["vault"]["generations"][0]["password"].as_str().expect("a password").to_owned();
        for (request, body, _, status, _) in &TABLE {
            let (request, body) = (stage.fill(request), stage.fill(body));
            let (method, path) = request.split_once(' ').expect("a method and a path");
            let answer = stage.api.call(method, path, (!body.is_empty()).then_some(&body));
            expect_documented(method, &format!("/v1.0{path}"), answer.expect(*status).status(), &answer.text());
            let secrets = [&password, &stage.agent.key, &stage.api.token];
            assert!(
                !secrets.iter().any(|secret| format!("{answer:?}{}", answer.text()).contains(secret.as_str())),
                "{request} tells a secret"
            );
        }
    }
}

#[test]
fn logins_and_versions_have_the_documented_form() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    User::add(&server, "bob", &["--tenant", "5501", "--role", "cloudbackup:creator", "--role", "observer"]);
    let api = Api::of(&ada);
    let token = format!("X-Auth-Token: {}", api.token);
    for (status, body) in [
        (200, ada.by_api_key()),
        (200, ada.by_password()),
        (401, json!({"auth": {"token": {"id": "x"}, "tenantId": "5501"}})),
        (400, json!({})),
    ] {
        let answer = post_tokens(&api.site, &body);
        expect_documented("POST", "/v2.0/tokens", answer.expect(status).status(), &answer.text());
        let complaints =
            Document::shared().complaints(Document::shared().find("POST", "/v2.0/tokens").expect("it is there"), status, &answer.text());
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    for (path, status) in
        [("/", 200), ("/v1.0", 200), ("/v1.0/", 200), ("/v2.0/users?name=bob", 200), ("/v2.0/users?name=cyd", 404), ("/v2.0/users", 400)]
    {
        let answer = api.site.curl(&["-H", &token], path);
        expect_documented("GET", path, answer.expect(status).status(), &answer.text());
    }
}

#[test]
fn examples_of_requests_are_right() {
    let document = Document::shared();
    let mut count = 0;
    for (method, path, operation) in document.operations() {
        for content in operation["requestBody"]["content"].as_object().into_iter().flat_map(serde_json::Map::values) {
            if let Some(example) = content.get("example") {
                let wrong = document.mismatches(&content["schema"], example, "$");
                assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}");
                count += 1;
            }
        }
    }
    assert!(count >= 15, "{count} examples");
}

/// A judge that passes everything would make all of the above worth nothing.
#[test]
fn what_has_another_form_is_found() {
    let document = Document::shared();
    let good = json!({
        "FilePath": "/a", "Filter": 1, "RestoreId": 7, "FileItemType": 0, "FileId": 8, "FilePathEncoded": null,
    });
    let schema = json!({"$ref": "#/components/schemas/RestoreFile"});
    assert_eq!(document.mismatches(&schema, &good, "$"), Vec::<String>::new());
    for (name, value) in [
        ("Filter", json!("1")),
        ("Filter", json!(3)),
        ("FileId", json!(0)),
        ("FileId", json!(1.5)),
        ("FilePath", Value::Null),
        ("More", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[name] = value.clone();
        assert!(!document.mismatches(&schema, &bad, "$").is_empty(), "{name} {value}");
    }
    let mut bad = good;
    bad.as_object_mut().expect("an object").remove("FileId");
    assert_eq!(document.mismatches(&schema, &bad, "$"), ["$ has no FileId"]);
    let of =
        |name: &str, value: Value| document.mismatches(&json!({"$ref": format!("#/components/schemas/{name}")}), &value, "$").is_empty();
    for (name, good, bad) in [
        ("Date", "/Date(1358535352000)/", "/Date(135853535200)/"),
        ("Size", "35.3 KB", "35.33 KB"),
        ("Size", "318 bytes", "318"),
        ("Duration", "100:04:33", "00:04:60"),
        ("Count", "11936", "11,936"),
        ("Guid", "5d0c0d1e-4a55-4a0e-8d8e-7f3f0c3b1a90", "5D0C0D1E-4a55-4a0e-8d8e-7f3f0c3b1a90"),
    ] {
        assert!(of(name, good.into()) && !of(name, bad.into()), "{name}");
    }
    let body = json!({"code": 404, "message": "No.", "details": ""});
    assert!(of("Fault", json!({"itemNotFound": body})));
    assert!(
        !of("Fault", json!({}))
            && !of("Fault", json!({"notFound": body}))
            && !of("Fault", json!({"itemNotFound": body, "badRequest": body}))
    );
    let operation = document.find("DELETE", "/v1.0/5501/restore/files/7.json").expect("it is there");
    assert_eq!(document.complaints(operation, 204, ""), Vec::<String>::new());
    assert!(!document.complaints(operation, 200, "").is_empty() && !document.complaints(operation, 204, "{}").is_empty());
}
