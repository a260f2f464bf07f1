//! Paths and methods of the Cloud Backup API: what is an id, what takes which method, what is known and not built.

use crate::support::setup::Setup;
use crate::support::told::Scene;

#[test]
fn what_is_no_positive_integer_is_no_path() {
    let scene = Scene::start(Setup::new());
    let bad = [
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "abc",
        "www nightly",
        "2147483648",
        "99999999999999999999",
        "%31",
        "0x1",
        "١",
        "1 ",
        "name.with.dots",
    ];
    let rows = [
        ("GET", "/agent/<id>"),
        ("POST", "/agent/<id>"),
        ("GET", "/agent/logging/<id>"),
        ("DELETE", "/user/agents/<id>"),
        ("GET", "/backup-configuration/<id>"),
        ("PUT", "/backup-configuration/<id>"),
        ("DELETE", "/backup-configuration/<id>"),
        ("GET", "/backup-configuration/system/<id>"),
        ("POST", "/backup-configuration/enable/<id>"),
        ("GET", "/backup/<id>"),
        ("GET", "/backup/completed/<id>"),
        ("GET", "/backup/report/<id>"),
        ("GET", "/restore/<id>"),
        ("PUT", "/restore/<id>"),
        ("GET", "/restore/files/<id>"),
        ("DELETE", "/restore/files/<id>"),
        ("GET", "/restore/report/<id>"),
        ("GET", "/system/activity/<id>"),
        ("GET", "/cleanup/report/<id>"),
    ];
    for (method, path) in rows {
        for id in bad {
            let path = path.replace("<id>", &id.replace(' ', "%20"));
            scene.ask(method, &path, (method != "GET").then_some("{}")).is_fault(404, "There is no such path in this API.");
        }
        let answer = scene.ask(method, &path.replace("<id>", "2147483647"), (method != "GET").then_some("{}")).answer;
        assert!([400, 404].contains(&answer.status()), "{method} {path}: {answer:?}");
    }
}

#[test]
fn other_methods_are_told_which_ones_work() {
    let scene = Scene::start(Setup::new());
    for (path, allow) in [
        ("/agent/7", "GET, POST"),
        ("/agent/enable", "POST"),
        ("/agent/encrypt", "POST"),
        ("/agent/changeencryption", "POST"),
        ("/agent/verifyvolumepassword", "POST"),
        ("/agent/delete", "POST"),
        ("/agent/migratevault", "PUT"),
        ("/agent/logging", "PUT"),
        ("/agent/logging/7", "GET"),
        ("/agent/server/x", "GET"),
        ("/user/agents", "GET"),
        ("/user/agents/7", "DELETE"),
        ("/user/wakeupagents", "POST"),
        ("/backup-configuration", "GET, POST"),
        ("/backup-configuration/7", "GET, PUT, DELETE"),
        ("/backup-configuration/system/7", "GET"),
        ("/backup-configuration/enable/7", "POST"),
        ("/backup/action-requested", "POST"),
        ("/backup/7", "GET"),
        ("/backup/completed/7", "GET"),
        ("/backup/report/7", "GET"),
        ("/backup/availableforrestore", "GET"),
        ("/restore", "PUT, POST"),
        ("/restore/7", "GET, PUT"),
        ("/restore/files", "PUT"),
        ("/restore/files/7", "GET, DELETE"),
        ("/restore/action-requested", "POST"),
        ("/restore/report/7", "GET"),
        ("/activity", "GET"),
        ("/system/activity/7", "GET"),
        ("/cleanup/startrequested", "PUT"),
        ("/cleanup/report/7", "GET"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROB"] {
            if !allow.split(", ").any(|allowed| allowed == method) {
                let told = scene.ask(method, path, None);
                told.is_fault(405, &format!("This path takes {allow} alone.")).answer.expect_header("allow", allow);
            }
        }
    }
}

#[test]
fn calls_of_the_original_that_are_not_built_say_so() {
    let scene = Scene::start(Setup::new());
    for path in [
        "/agent/events",
        "/agent/events/7",
        "/agent/requestlog",
        "/agent/requestlog/7/x",
        "/agent/logfiles",
        "/agent/busy",
        "/agent/busy/7",
        "/agent/configuration",
        "/agent/configuration/7",
        "/browse",
        "/browse/7/8",
        "/backup-configuration/list/7",
        "/backup-configuration/list/7/8",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            for tenant in ["", "/5501"] {
                scene.ask(method, &format!("{tenant}{path}"), None).is_fault(501, "This server has no such call.");
            }
        }
    }
    for path in [
        "/agents",
        "/user",
        "/backup",
        "/system",
        "/system/activity",
        "/cleanup",
        "/help",
        "/restore/files/7/8",
        "/agent/7/8",
        "//activity",
    ] {
        let answer = scene.get(path).answer;
        assert!([403, 404].contains(&answer.status()), "{path}: {answer:?}");
    }
}
