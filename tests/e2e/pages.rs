//! The pages, in a real Chromium: the list, its filter, a session, and errors that a person can read.

use crate::support::browser::Browser;
use crate::support::clock::{DAY, HOUR, TestClock};
use crate::support::figure::figure;
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

/// What would say so if it ever ran.
const SCRIPT: &str = "<script>document.title='owned'</script>";

/// Names that are markup, schemes and templates.
const HOSTILE_NAMES: [&str; 14] = [
    "/<script>document.title='owned'</script>",
    "/<img src=x onerror=\"document.title='owned'\">",
    "/\"><svg onload=document.title='owned'>",
    "/javascript:document.title='owned'",
    "/data:text/html,<script>document.title='owned'<\u{2215}script>",
    "/a'b\"c&amp;d.txt",
    "/{{7*7}}",
    "/${document.title='owned'}",
    "/\u{202E}gnp.exe",
    "/' onmouseover='document.title=`owned`",
    "/<iframe srcdoc='<script>parent.document.title=`owned`<\u{2215}script>'>",
    "/--><script>document.title='owned'</script>",
    "/<style>body{display:none}</style>",
    "/<base href=https:evil.example>",
];

/// Files that a browser runs, or shows as a page, when it is let.
fn hostile_files() -> Vec<(&'static str, String)> {
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='owned'</script></svg>";
    let xhtml = "<html xmlns='http://www.w3.org/1999/xhtml'><script>document.title='owned'</script></html>";
    let sheet = "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='page.xsl'?><a/>";
    let feed = "<rss version='2.0'><channel><title><![CDATA[<script>document.title='owned'</script>]]></title></channel></rss>";
    let whole = [
        ("page.svg", svg),
        ("page.xhtml", xhtml),
        ("page.xml", sheet),
        ("page.xsl", sheet),
        ("page.js", "document.title='owned'"),
        ("page.mjs", "document.title='owned'"),
        ("page.rss", feed),
        ("page.pdf", "%PDF-1.4 javascript:document.title='owned'"),
        ("page.css", "body{background:url(javascript:document.title='owned')}"),
    ];
    let markup = ["page.html", "page.htm", "page.shtml", "page.mht", "page", "page.txt", "page.json"];
    let markup = markup.into_iter().map(|name| (name, SCRIPT.to_owned()));
    whole.into_iter().map(|(name, text)| (name, text.to_owned())).chain(markup).collect()
}

#[test]
fn hostile_names_and_files_are_text_and_downloads_and_never_run() {
    let Some(browser) = Browser::start() else { return };
    let server = TestServer::start();
    let account = server.account();
    for name in HOSTILE_NAMES {
        let path: String = name.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") }).collect();
        // A slash inside a tag makes folders, which are names like any other.
        account.store(&path, SCRIPT);
    }
    let files = hostile_files();
    for (name, text) in &files {
        account.store(&format!("/{name}"), text);
    }
    let session = format!("{}{}", server.site().origin(), account.make_session());
    for url in [account.url("/"), session.clone()] {
        browser.goto(&url);
        assert_ne!(browser.title(), "owned");
        let text = browser.source();
        for markup in ["<script>document", "<img src=x", "<svg onload", "<iframe", "<base ", "<style>body{display"] {
            assert!(!text.contains(markup), "{markup} in {text}");
        }
        assert_eq!(browser.count("script"), 0);
        assert!(!browser.evaluate("return [...document.links].some(l => l.protocol === 'javascript:')").as_bool().unwrap_or(true));
        assert_eq!(complaints(&browser), Vec::<String>::new());
    }
    browser.screenshot("hostile-names");
    let mut opened = 0;
    for (base, (name, text)) in [account.url("/"), session].iter().flat_map(|base| files.iter().map(move |file| (base, file))) {
        let path = format!("{}{name}", base.strip_prefix(&server.site().origin()).unwrap_or("/"));
        let head = account.curl(&["-I"], &path);
        let saved = head.header("content-disposition").unwrap_or_default().to_owned();
        assert!(saved.starts_with("attachment"), "{name}: {head:?}");
        head.expect_header("x-content-type-options", "nosniff");
        // Every one once a night; three kinds in between.
        if !crate::support::is_nightly() && !["page.html", "page.svg", "page.xhtml"].contains(name) {
            continue;
        }
        browser.goto(base);
        let before = browser.title();
        browser.evaluate(&format!("location.href = '{base}{name}'"));
        assert_eq!(browser.take_downloaded(name), text.as_bytes(), "{name} is saved, not shown");
        assert_eq!(browser.title(), before);
        opened += 1;
    }
    let complained = complaints(&browser);
    let (names, count) = (HOSTILE_NAMES.len(), files.len());
    figure(
        "S21",
        "hostile files",
        &format!("{names} names on 2 pages, {count} files by 2 ways, {opened} opened: 0 ran, 0 console errors, all attachments"),
        None,
    );
    assert_eq!(complained, Vec::<String>::new());
}
