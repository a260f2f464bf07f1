//! The rules of selections, and that the quick matcher answers as a plain one.

use std::time::{Duration, Instant};

use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

use super::*;

fn item(path: &str) -> Item {
    Item { file_id: 1, item_type: ItemType::Folder, path: ItemPath::parse(path, None).expect("it is absolute") }
}

fn selection(inclusions: &[&str], exclusions: &[&str]) -> Selection {
    let items = |paths: &[&str]| paths.iter().map(|path| item(path)).collect();
    Selection { inclusions: items(inclusions), exclusions: items(exclusions) }
}

#[test]
fn a_path_comes_once_however_it_is_spelled() {
    let twice = |path: &str| Err(SelectionError::Twice(path.to_owned()));
    let in_both = |path: &str| Err(SelectionError::InBoth(path.to_owned()));
    for (inclusions, exclusions, result) in [
        (&["/a", "/b", "/a/"][..], &[][..], twice("/a/")),
        (&[r"C:\A", r"c:\a"], &[], twice(r"c:\a")),
        (&["/a"], &["/a/b", "/a/b/"], twice("/a/b/")),
        (&["/", "/a"], &["/a/"], in_both("/a/")),
        (&["/a", "/A", "/a/b"], &["/a/b/c"], Ok(())),
    ] {
        let selection = selection(inclusions, exclusions);
        assert_eq!((selection.check(), selection.check_restore()), (result.clone(), result), "{inclusions:?} {exclusions:?}");
    }
}

#[test]
fn an_exclusion_lies_inside_an_included_folder_but_not_in_a_restore() {
    for (inclusions, exclusion, is_inside) in [
        (&["/srv"][..], "/srv/www/logs", true),
        (&["/"], "/srv", true),
        (&["/srv/www", "/srv"], "/srv/log", true),
        (&[r"C:\Websites"], r"c:\WEBSITES\Logs", true),
        (&["/srv"], "/srv2", false),
        (&["/srv/www"], "/srv", false),
        (&["/srv"], r"\\srv\x", false),
        (&["/"], r"C:\x", false),
        (&[], "/srv", false),
    ] {
        let selection = selection(inclusions, &[exclusion]);
        let expected = if is_inside { Ok(()) } else { Err(SelectionError::NotInside(exclusion.to_owned())) };
        assert_eq!(selection.check(), expected, "{inclusions:?} {exclusion}");
        assert_eq!(selection.check_restore(), Ok(()));
    }
    let nested = selection(&["/srv"], &["/srv/www", "/srv/www/logs"]);
    assert_eq!(nested.check(), Ok(()), "an exclusion in an exclusion is still inside the folder");
    assert_eq!(Selection::default().check(), Ok(()));
}

#[test]
fn a_file_may_be_a_folder_but_a_database_holds_nothing() {
    for (item_type, is_inside) in [(ItemType::File, true), (ItemType::Folder, true), (ItemType::Database, false)] {
        let mut selection = selection(&["/srv"], &["/srv/www"]);
        selection.inclusions[0].item_type = item_type;
        assert_eq!(selection.check().is_ok(), is_inside, "{item_type:?}");
    }
}

#[test]
fn the_longest_item_decides_and_an_exclusion_beats_an_inclusion() {
    let web = selection(&["/srv", "/srv/www/logs/kept", "/srv/both"], &["/srv/www/logs", "/srv/both"]);
    for (path, is_covered) in [
        ("/srv", true),
        ("/srv/", true),
        ("/srv/www/x", true),
        ("/srv/www/logs", false),
        ("/srv/www/logs/x/y", false),
        ("/srv/www/logs2", true),
        ("/srv/www/logs/kept", true),
        ("/srv/www/logs/kept/x", true),
        ("/srv/www/logs/kept2", false),
        ("/srv/both/x", false),
        ("/srv2", false),
        ("/", false),
        ("srv", false),
    ] {
        assert_eq!((web.covers(path.as_bytes()), web.covers_or_all(path.as_bytes())), (is_covered, is_covered), "{path}");
    }
    assert!(selection(&[r"C:\Web"], &[]).covers(br"c:\wEB/x"));
    let mut raw = selection(&[], &[]);
    raw.inclusions.push(Item { path: ItemPath::parse("/?", Some(b"/\xff".to_vec())).expect("it is absolute"), ..item("/x") });
    assert!(raw.covers(b"/\xff/x") && !raw.covers(b"/?/x"));
}

#[test]
fn a_folder_that_is_not_covered_may_have_an_inclusion_below_it() {
    let web =
        selection(&["/srv", "/srv/logs/kept/here", "/srv/both/x", r"C:\Web\Logs"], &["/srv/logs", "/srv/both/x", r"C:\web"]).matcher();
    for (path, has_below) in [
        ("/", true),
        ("/srv", true),
        ("/srv/logs", true),
        ("/srv/logs/", true),
        ("/srv/logs/kept", true),
        ("/srv/logs/kept/here", false),
        ("/srv/logs/kept/here/x", false),
        ("/srv/logs/kep", false),
        ("/srv/log", false),
        ("/srv/both", false),
        ("/srw", false),
        (r"c:\WEB", true),
        (r"c:\web\logs", false),
        ("srv", false),
    ] {
        assert_eq!(web.includes_below(path.as_bytes()), has_below, "{path}");
    }
    assert!(!Selection::default().matcher().includes_below(b"/"));
}

#[test]
fn a_restore_without_inclusions_takes_everything_that_is_not_excluded() {
    let all = selection(&[], &["/srv/www"]);
    assert!(all.covers_or_all(b"/srv/x") && !all.covers(b"/srv/x"));
    assert!(!all.covers_or_all(b"/srv/www/x"));
    assert!(!all.covers_or_all(b"not/absolute"));
}

#[test]
#[cfg_attr(miri, ignore = "an interpreter takes hours for what has to be fast, and smaller lists show it the same code")]
fn long_lists_and_deep_paths_take_no_long_time() {
    let wide: Vec<String> = (0..50_000).map(|number| format!("/srv/{number}")).collect();
    let deep: Vec<String> = (1..1_000).map(|depth| format!("/srv{}", "/a".repeat(depth))).collect();
    let bottomless = format!("/srv{}", "/b".repeat(500_000));
    let exclusions: Vec<&str> = wide.iter().chain(&deep).chain([&bottomless]).map(String::as_str).collect();
    let many = selection(&["/srv"], &exclusions);
    let begin = Instant::now();
    assert_eq!(many.check(), Ok(()));
    let matcher = many.matcher();
    for path in &exclusions {
        let sibling = format!("{path}x");
        assert!(!matcher.covers(path.as_bytes()), "it is excluded");
        assert_ne!(matcher.covers(sibling.as_bytes()), path.starts_with("/srv/a/"), "only deep siblings lie in an exclusion");
        assert!(!matcher.includes_below(path.as_bytes()), "nothing below it is included");
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "quadratic time would be minutes");
}

/// Both kinds of paths from few names, so that they meet.
fn paths() -> impl Strategy<Value = String> {
    prop_oneof!["(/(a|b|aa|A)){1,4}/?", r"[cCd]:(\\(a|b|aa|A)){1,3}\\?", Just("/".to_owned()), r"\\\\a\\[ab](\\a)?"]
}

/// Names from the top, as a plain matcher compares them.
fn names(path: &str) -> Vec<String> {
    let is_posix = path.starts_with('/');
    let text = if is_posix { path.to_owned() } else { path.to_lowercase() };
    let root = if is_posix { "posix" } else { "windows" };
    let names = text.split(if is_posix { '/' } else { '\\' }).filter(|name| !name.is_empty()).map(str::to_owned);
    let kind = if path.starts_with('\\') { "share" } else { root };
    [kind.to_owned()].into_iter().chain(names).collect()
}

fn plain_verdict(selection: &Selection, path: &str) -> Option<bool> {
    let lists = [(&selection.inclusions, true), (&selection.exclusions, false)];
    let items = lists.into_iter().flat_map(|(items, is_included)| items.iter().map(move |item| (names(item.path.as_str()), is_included)));
    let matching = items.filter(|(item, _)| names(path).starts_with(item));
    matching.max_by_key(|(item, is_included)| (item.len(), !is_included)).map(|(_, is_included)| is_included)
}

fn plain_includes_below(selection: &Selection, path: &str) -> bool {
    let is_beaten = |inclusion: &Item| selection.exclusions.iter().any(|item| item.path.is_same(&inclusion.path));
    let is_below = |inclusion: &Item| {
        let (above, below) = (names(path), names(inclusion.path.as_str()));
        below.len() > above.len() && below.starts_with(&above)
    };
    selection.inclusions.iter().any(|inclusion| is_below(inclusion) && !is_beaten(inclusion))
}

fn plain_check(selection: &Selection) -> bool {
    let of = |items: &[Item]| items.iter().map(|item| names(item.path.as_str())).collect::<Vec<_>>();
    let (included, excluded) = (of(&selection.inclusions), of(&selection.exclusions));
    let all: Vec<_> = included.iter().chain(&excluded).collect();
    let is_once = (0..all.len()).all(|one| (0..one).all(|other| all[one] != all[other]));
    is_once && excluded.iter().all(|path| included.iter().any(|folder| path.starts_with(folder)))
}

proptest! {
    #[test]
    fn the_matcher_answers_as_a_plain_one(
        inclusions in proptest::collection::vec(paths(), 0..8), exclusions in proptest::collection::vec(paths(), 0..8),
        asked in proptest::collection::vec(paths(), 1..20),
    ) {
        let of = |paths: &[String]| paths.iter().map(|path| item(path)).collect();
        let selection = Selection { inclusions: of(&inclusions), exclusions: of(&exclusions) };
        prop_assert_eq!(selection.check().is_ok(), plain_check(&selection));
        for path in asked.iter().chain(&inclusions).chain(&exclusions) {
            let verdict = plain_verdict(&selection, path);
            prop_assert_eq!(selection.covers(path.as_bytes()), verdict.unwrap_or(false), "{}", path);
            let below = plain_includes_below(&selection, path);
            prop_assert_eq!(selection.matcher().includes_below(path.as_bytes()), below, "below {}", path);
            prop_assert_eq!(selection.covers_or_all(path.as_bytes()), verdict.unwrap_or(inclusions.is_empty()), "{}", path);
        }
    }
}
