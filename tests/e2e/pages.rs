//! The pages, in a real Chromium: the list, its filter, a session, and errors that a person can read.

use crate::support::browser::Browser;
use crate::support::clock::{DAY, HOUR, TestClock};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree;

/// Lines of the console that blame the page itself; a 404 that the test asked for is none.
fn complaints(browser: &Browser) -> Vec<String> {
    let lines = browser.console();
    lines.into_iter().filter(|line| !line.contains("favicon") && !line.contains("the server responded with a status of")).collect()
}

#[test]
fn the_list_in_a_browser_shows_filters_and_downloads() {
    let Some(browser) = Browser::start() else { return };
    let server = Setup::new().tls().start();
    let account = server.account();
    let dump = tree::bytes(1, 396_265);
    account.store("/data.20100521.tar.gz", &dump);
    account.store("/db/monday.sql.zst", tree::bytes(2, 5_000_000));
    account.store("/db/tuesday.sql.zst", b"x");
    browser.goto(&account.url("/"));
    let text = browser.text();
    for part in ["data.20100521.tar.gz", "monday.sql.zst", "tuesday.sql.zst", "days"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    browser.screenshot("list");
    browser.set_size(390, 844);
    let overflow = browser.evaluate("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(overflow, 0, "the page fits a phone");
    browser.screenshot("list-phone");
    let background = || browser.evaluate("return getComputedStyle(document.body).backgroundColor").to_string();
    let by_day = background();
    browser.set_dark(true);
    assert_ne!(background(), by_day, "there are colours for the dark");
    browser.screenshot("list-dark-phone");
    browser.set_size(1200, 800);
    browser.screenshot("list-dark");
    browser.set_dark(false);
    browser.set_size(1200, 800);

    browser.type_and_enter("input[name=filter]", "MONDAY");
    crate::support::wait_until("the page is filtered", crate::support::SOON, || browser.url().contains("filter=MONDAY"));
    let text = browser.text();
    assert!(text.contains("monday.sql.zst") && !text.contains("tuesday.sql.zst"), "{text}");
    assert_eq!(browser.attribute("input[name=filter]", "value").as_deref(), Some("MONDAY"), "the box keeps what was typed");
    browser.screenshot("list-filtered");

    browser.goto(&account.url("/"));
    let link =
        browser.evaluate("return [...document.querySelectorAll('a')].map(a => a.href).find(h => h.endsWith('/data.20100521.tar.gz'))");
    assert!(link.is_string(), "a download link: {}", browser.source());
    browser.click("a[href$='data.20100521.tar.gz']");
    assert!(browser.downloaded("data.20100521.tar.gz") == dump, "the download has the stored bytes");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn an_empty_account_shows_how_to_begin() {
    let Some(browser) = Browser::start() else { return };
    let server = TestServer::start();
    browser.goto(&server.account().url("/"));
    assert!(browser.text().contains("curl"), "{}", browser.text());
    browser.screenshot("empty");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn a_session_opens_in_a_browser_and_its_end_is_explained() {
    let Some(browser) = Browser::start() else { return };
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = server.account();
    account.store("/db/dump.sql", b"dump");
    let url = format!("{}{}", server.site().origin(), account.make_session());
    browser.goto(&url);
    assert!(browser.text().contains("dump.sql"), "{}", browser.text());
    browser.screenshot("session");
    browser.click("a[href$='dump.sql']");
    assert_eq!(browser.downloaded("dump.sql"), b"dump");
    browser.goto(&format!("{url}nothing"));
    assert!(browser.text().contains("404") || browser.title().contains("404"), "{}", browser.text());
    browser.screenshot("not-found");
    clock.advance(DAY + HOUR);
    browser.goto(&url);
    let text = browser.text().to_lowercase();
    assert!(text.contains("expired") && !text.contains("dump.sql"), "{text}");
    browser.screenshot("gone");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn the_share_button_leads_to_a_session_and_another_site_cannot_press_it() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/db/dump.sql", b"dump");
    for header in ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://elsewhere.example", "Origin: null"] {
        account.curl(&["-X", "POST", "-H", header], "/?share").expect(403);
    }
    let Some(browser) = Browser::start() else { return };
    browser.goto(&account.url("/"));
    browser.click("form[method=post] button");
    crate::support::wait_until("the session's page is shown", crate::support::SOON, || browser.url().contains("/session/"));
    assert!(!browser.url().contains(&account.password), "the address that is passed on has no password in it");
    let text = browser.text();
    assert!(text.contains("Read only") && text.contains("dump.sql"), "{text}");
    assert_eq!(browser.count("form[method=post]"), 0, "a session makes no session");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn hostile_names_and_files_are_text_and_downloads_and_never_run() {
    let Some(browser) = Browser::start() else { return };
    let server = TestServer::start();
    let account = server.account();
    let script = "<script>document.title='owned'</script>";
    let names = [
        "/<script>document.title='owned'</script>",
        "/<img src=x onerror=\"document.title='owned'\">",
        "/\"><svg onload=document.title='owned'>",
        "/javascript:document.title='owned'",
        "/a'b\"c&amp;d.txt",
        "/{{7*7}}",
        "/\u{202E}gnp.exe",
    ];
    for name in names {
        let path: String = name.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") }).collect();
        // A slash inside a tag makes folders, which are names like any other.
        account.store(&path, script);
    }
    for name in ["/page.html", "/page.svg", "/page.xhtml", "/page.js", "/page.xml"] {
        account.store(name, script);
    }
    let session = format!("{}{}", server.site().origin(), account.make_session());
    for url in [account.url("/"), session.clone()] {
        browser.goto(&url);
        assert_ne!(browser.title(), "owned");
        let text = browser.source();
        assert!(!text.contains("<script>document") && !text.contains("<img src=x") && !text.contains("<svg onload"), "{text}");
        assert_eq!(browser.count("script"), 0);
        assert!(!browser.evaluate("return [...document.links].some(l => l.protocol === 'javascript:')").as_bool().unwrap_or(true));
        assert_eq!(complaints(&browser), Vec::<String>::new());
    }
    browser.screenshot("hostile-names");
    for (base, name) in [(account.url("/"), "page.html"), (session.clone(), "page.svg"), (session, "page.xhtml")] {
        let before = browser.title();
        browser.evaluate(&format!("location.href = '{base}{name}'"));
        assert_eq!(browser.downloaded(name), script.as_bytes(), "{name} is saved, not shown");
        assert_eq!(browser.title(), before);
    }
}
