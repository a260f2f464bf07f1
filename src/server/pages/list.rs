//! The list for a browser: what is stored, how large, since when, for how much longer.
//!
//! All its links are relative to the list, so the same page serves the access URL and a session, and no token is on it.

use maud::{Markup, html};

use super::{humane, layout};
use crate::model::account::{Account, Kind};
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;
use crate::server::headers::query::{Query, prefix_query};
use crate::server::list::Viewer;
use crate::server::operation::SHARE_QUERY;

/// What one page shows.
pub struct Shown<'a> {
    pub account: &'a Account,
    pub viewer: Viewer,
    pub query: &'a Query,
    pub files: &'a [StoredFile],
    /// The last name of this page, where more follow.
    pub next: Option<&'a [u8]>,
    /// Guarded time.
    pub now: Instant,
    /// `https://HOST[:PORT]`, for the line that shows how to store a file.
    pub origin: &'a str,
}

const SOON_DAYS: u64 = 3;

pub fn page(shown: &Shown) -> Markup {
    let aside = html! { "Account " b { (shown.account.id) } };
    let main = html! {
        div .title {
            h1 { (heading(shown)) }
            @if shown.viewer == Viewer::Owner { (share_form()) }
        }
        (standing(shown))
        @if is_narrowed(shown.query) || !shown.files.is_empty() { (filter_form(shown.query)) }
        @if shown.files.is_empty() { (nothing(shown)) } @else { (table(shown)) }
        (pager(shown))
    };
    layout("Stored files", aside, main)
}

/// What the operator calls the account; whoever only has a session is not told.
fn heading<'a>(shown: &'a Shown) -> &'a str {
    match (shown.viewer, shown.account.description.as_str()) {
        (Viewer::Session { .. }, _) | (_, "") => "Stored files",
        (Viewer::Owner, description) => description,
    }
}

/// One sentence on what holds for all files: who may see them, how long they are kept, how much room there is.
fn standing(shown: &Shown) -> Markup {
    let days = shown.account.retention.current().days().unsigned_abs();
    html! {
        @if let Viewer::Session { ends_at } = shown.viewer {
            p .note { "Read only. Whoever has this page's address can see and download these files until " (moment(ends_at)) " UTC." }
        } @else {
            p .standing {
                @match shown.account.kind {
                    Kind::Archive => { "A new file is kept for " (humane::count(days, "day")) ". Until then nobody can replace or delete it." }
                    Kind::Vault => { "A vault: files go when its backup program lets go of them, and " (humane::count(days, "day")) " later." }
                }
                " " (humane::size(shown.account.used_bytes))
                @if let Some(quota) = shown.account.quota_bytes { " of " (humane::size(quota)) }
                " used."
            }
        }
    }
}

fn share_form() -> Markup {
    html! {
        form method="post" action={ "./?" (SHARE_QUERY) } {
            button title="Makes an address that shows this list without a password" { "Share read-only for 24 hours" }
        }
    }
}

fn filter_form(query: &Query) -> Markup {
    let prefix = String::from_utf8_lossy(&query.prefix);
    html! {
        form .filter method="get" action="./" role="search" {
            @if !prefix.is_empty() { input type="hidden" name="prefix" value=(prefix); }
            input type="search" name="filter" value=(query.filter) placeholder="Filter by name" aria-label="Filter by name" autocomplete="off";
            button { "Filter" }
        }
        @if is_narrowed(query) {
            p .narrowed {
                "Names"
                @if !prefix.is_empty() { " that begin with " bdi { (humane::visible(&prefix)) } }
                @if !prefix.is_empty() && !query.filter.is_empty() { " and" }
                @if !query.filter.is_empty() { " that contain " bdi { "“" (humane::visible(&query.filter)) "”" } }
                ". "
                a href="./" { "Show all" }
            }
        }
    }
}

fn is_narrowed(query: &Query) -> bool {
    !query.prefix.is_empty() || !query.filter.is_empty()
}

fn nothing(shown: &Shown) -> Markup {
    html! {
        section .empty {
            @if shown.next.is_some() {
                p { "No match among the names so far. There are more." }
            } @else if is_narrowed(shown.query) || !shown.query.after.is_empty() {
                p { "No file matches." }
            } @else if shown.viewer == Viewer::Owner && shown.account.kind == Kind::Archive {
                p { "Nothing is stored yet. Send the first file:" }
                pre { code { "curl -u " (shown.account.id) " " (shown.origin) "/ -T FILE" } }
            } @else {
                p { "Nothing is stored yet." }
            }
        }
    }
}

fn table(shown: &Shown) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Name" }
                    th .figure scope="col" { "Size" }
                    th scope="col" { "Stored (UTC)" }
                    th scope="col" { "Time left" }
                }
            }
            tbody { @for file in shown.files { (row(file, shown.now)) } }
        }
    }
}

fn row(file: &StoredFile, now: Instant) -> Markup {
    let name = file.name.as_str();
    let (folder, last) = name.split_at(name.len() - file.name.last_segment().len());
    html! {
        tr {
            td .name {
                bdi {
                    @if folder.len() > 1 { a .folder href=(prefix_query(folder)) { (humane::visible(&folder[1..])) } }
                    a href={ "." (file.name.url_path()) } title="Download" { (humane::visible(last)) }
                }
                @if file.damaged_at.is_some() {
                    " " strong .damaged title="The bytes on the server's disk are not those that were stored" { "damaged" }
                }
            }
            td .figure title={ (humane::number(file.size_bytes)) " bytes" } { (humane::size(file.size_bytes)) }
            td { (moment(file.shown_created_at())) }
            (time_left(file, now))
        }
    }
}

fn time_left(file: &StoredFile, now: Instant) -> Markup {
    let left = now.until(file.expires_at);
    let class = if left.as_secs() < SOON_DAYS * 86_400 { "soon" } else { "left" };
    html! {
        @if file.expires_at == Instant::FOREVER {
            td { "no end" }
        } @else {
            td class=(class) title={ "until " (humane::date(file.expires_at)) " UTC" } { (humane::time_left(left)) }
        }
    }
}

fn moment(instant: Instant) -> Markup {
    html! { time datetime=(instant.rfc3339()) { (humane::date(instant)) } }
}

fn pager(shown: &Shown) -> Markup {
    html! {
        @if shown.next.is_some() || !shown.query.after.is_empty() {
            nav {
                @if !shown.query.after.is_empty() { a href=(shown.query.from_start()) { "First page" } }
                @if let Some(last) = shown.next { a .next rel="next" href=(shown.query.after_name(last)) { "More" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Secret;
    use crate::model::retention::{Retention, RetentionHistory};
    use crate::server::fixture::{NOW, stored};

    fn account() -> Account {
        Account {
            id: "Y21R3P".parse().expect("it is an account's name"),
            kind: Kind::Archive,
            description: "<b>Nightly</b> of web-01".to_owned(),
            password: Secret::presented("x").hash(),
            quota_bytes: Some(10_000_000_000),
            used_bytes: 1_234_567_890,
            retention: RetentionHistory::starting(Retention::MIN),
            created_at: Instant::from_seconds(0),
            disabled: None,
            removed_at: None,
        }
    }

    fn shown(viewer: Viewer, query: &str, files: &[StoredFile], next: Option<&[u8]>) -> String {
        let query = Query::parse(query).expect("a test's query is valid");
        let origin = "https://backup.example.com";
        page(&Shown { account: &account(), viewer, query: &query, files, next, now: NOW, origin }).into_string()
    }

    #[test]
    fn hostile_names_are_text_and_their_links_stay_ours() {
        let names = [
            "/<script>alert(1)</script>",
            "/\"><svg onload=alert(1)>",
            "/'/onmouseover=alert(1) x='",
            "/javascript:alert(1)",
            "/a?b#c&d=e",
            "/{{7*7}}",
            "/\u{202E}gnp.exe",
        ];
        let files: Vec<StoredFile> = names.iter().map(|name| stored(name, 1)).collect();
        let text = shown(Viewer::Owner, "filter=%22%3E%3Cscript%3E&prefix=/%22%3E%3Cb%3E", &files, Some(b"/\"><i>"));
        for harm in ["<script", "<svg onload", "\"><b>", "<b>Nightly", "<i>", "\u{202E}", "href=\"javascript"] {
            assert!(!text.contains(harm), "{harm} in {text}");
        }
        let links: Vec<&str> = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().expect("split yields a part")).collect();
        for link in links.iter().filter(|link| !link.starts_with("data:")) {
            assert!(link.starts_with("./") || link.starts_with('?'), "{link}");
            assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>'\"".contains(&byte)), "{link}");
        }
        assert!(links.contains(&"./a%3Fb%23c%26d%3De"), "{links:?}");
    }

    #[test]
    fn a_row_says_what_how_large_since_when_and_for_how_long() {
        let damaged = StoredFile { damaged_at: Some(NOW), ..stored("/db/monday.sql.gz", 396_265) };
        let text = shown(Viewer::Owner, "", &[damaged], None);
        for part in [
            "href=\"?prefix=/db/\"",
            "href=\"./db/monday.sql.gz\"",
            "396 kB",
            "396,265 bytes",
            "2027-01-14 08:00",
            "29 days",
            ">damaged<",
            "1.23 GB of 10.0 GB used",
            "kept for 30 days",
            "&lt;b&gt;Nightly&lt;/b&gt; of web-01",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!shown(Viewer::Owner, "", &[stored("/a", 1)], None).contains(">damaged<"));
        let forever = StoredFile { expires_at: Instant::FOREVER, ..stored("/a", 1) };
        assert!(shown(Viewer::Owner, "", &[forever], None).contains("no end"));
    }

    #[test]
    fn a_session_offers_nothing_but_reading_and_says_how_long() {
        let ends_at = NOW.plus_micros(crate::model::instant::DAY_MICROS);
        let text = shown(Viewer::Session { ends_at }, "", &[stored("/a", 1)], None);
        assert!(
            text.contains("2027-01-16 08:00") && !text.contains("method=\"post\"") && !text.contains("used") && !text.contains("Nightly"),
            "{text}"
        );
        assert!(!shown(Viewer::Session { ends_at }, "", &[], None).contains("curl"));
        assert!(shown(Viewer::Owner, "", &[stored("/a", 1)], None).contains("method=\"post\" action=\"./?share\""));
    }

    #[test]
    fn an_empty_list_shows_what_to_do() {
        assert!(shown(Viewer::Owner, "", &[], None).contains("curl -u Y21R3P https://backup.example.com/ -T FILE"));
        assert!(shown(Viewer::Owner, "filter=x", &[], None).contains("No file matches."));
        assert!(shown(Viewer::Owner, "filter=x", &[], Some(b"/m")).contains("There are more."));
    }

    #[test]
    fn pages_lead_on_and_back_with_the_same_filter() {
        let text = shown(Viewer::Owner, "filter=x&after=/a", &[stored("/x", 1)], Some(b"/x y"));
        assert!(text.contains("href=\"?after=/x%20y&amp;filter=x\"") && text.contains("href=\"?filter=x\""), "{text}");
        let last = shown(Viewer::Owner, "", &[stored("/x", 1)], None);
        assert!(!last.contains("<nav"), "{last}");
    }
}
