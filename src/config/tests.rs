use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::layers::Surroundings;
use super::{CatalogTarget, Config, ConfigError, Flags, Layers, Origin, SETTINGS, check};

fn load_from(flags: &Flags, surroundings: &Surroundings<'_>) -> Result<(Config, Layers), ConfigError> {
    let layers = Layers::gather(flags, surroundings)?;
    Ok((check::check(&layers)?, layers))
}

/// A command line, an environment and a config file, none of them real.
#[derive(Default)]
struct World {
    flags: Vec<(&'static str, &'static str)>,
    environment: Vec<(&'static str, &'static str)>,
    file: Option<&'static str>,
}

impl World {
    fn load(&self) -> Result<(Config, Layers), ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("config.toml");
        if let Some(text) = self.file {
            std::fs::write(&path, text).expect("the folder takes a file");
        }
        let environment = |name: &str| {
            let environment: BTreeMap<_, _> = self.environment.iter().copied().collect();
            environment.get(name).map(OsString::from)
        };
        let values = self.flags.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        let flags = Flags { config_file: None, values };
        load_from(&flags, &Surroundings { environment: &environment, standard_files: &[path] })
    }

    /// The complaint as an operator reads it, without the folder's name.
    fn complaint(&self) -> String {
        let text = self.load().expect_err("these settings are wrong").to_string();
        let start = text.starts_with('/').then(|| text.find("config.toml")).flatten().unwrap_or(0);
        text[start..].to_owned()
    }
}

fn with_flags(flags: &[(&'static str, &'static str)]) -> World {
    World { flags: flags.to_vec(), ..World::default() }
}

fn with_file(file: &'static str) -> World {
    World { file: Some(file), ..World::default() }
}

#[test]
fn the_example_shows_every_setting_with_its_default() {
    let example = with_file(include_str!("../../config.example.toml")).load().expect("the example is good");
    let defaults = World::default().load().expect("the defaults are good");
    for setting in &SETTINGS {
        let value = example.1.get(setting.name);
        assert!(matches!(value.origin, Origin::File { .. }), "config.example.toml does not show {}", setting.name);
        assert_eq!(value.text, setting.default, "{}", setting.name);
    }
    assert_eq!(format!("{:?}", example.0), format!("{:?}", defaults.0));
}

#[test]
fn flag_is_stronger_than_environment_than_file_than_default() {
    let mut world = World::default();
    let seconds = |world: &World| world.load().expect("good settings").0.server.limits.header_time.as_secs();
    assert_eq!(seconds(&world), 15);
    world.file = Some("header_seconds = 16");
    assert_eq!(seconds(&world), 16);
    world.environment = vec![("STRONGROOM_HEADER_SECONDS", "17")];
    assert_eq!(seconds(&world), 17);
    world.flags = vec![("header_seconds", "18")];
    assert_eq!(seconds(&world), 18);
}

#[test]
fn each_value_says_where_it_came_from() {
    let world = World {
        flags: vec![("data", "/srv/a")],
        environment: vec![("STRONGROOM_LISTEN", "127.0.0.1:1")],
        file: Some("# one\nscrub_days = 7\n"),
    };
    let layers = world.load().expect("good settings").1;
    assert_eq!(layers.get("data").origin.to_string(), "--data");
    assert_eq!(layers.get("listen").origin.to_string(), "STRONGROOM_LISTEN");
    assert!(layers.get("scrub_days").origin.to_string().ends_with("config.toml, line 2"));
    assert_eq!(layers.get("catalog").origin, Origin::Default);
}

#[test]
fn a_file_with_a_mistake_is_refused_with_the_line() {
    for (text, complaint) in [
        ("data = \"x\"\n\nheader_secnds = 15\n", "config.toml, line 3: there is no setting `header_secnds`"),
        ("[server]\nlisten = \"[::]:1\"", "config.toml, line 1: there is no setting `server`"),
        ("\nheader_seconds = \"15\"", "config.toml, line 2: `header_seconds` is a whole number"),
        ("data = 7", "config.toml, line 1: `data` is a text in quotes"),
        ("plain_http = 1", "config.toml, line 1: `plain_http` is true or false"),
        ("trusted_proxies = \"192.0.2.1\"", "config.toml, line 1: `trusted_proxies` is an array of texts in quotes"),
        ("trusted_proxies = [1]", "config.toml, line 1: `trusted_proxies` is an array of texts in quotes"),
        ("drain_bytes = 1.5", "config.toml, line 1: `drain_bytes` is a number of bytes, or a text such as \"64 MiB\""),
    ] {
        assert_eq!(with_file(text).complaint(), complaint, "{text}");
    }
    for (text, begin) in [("data = \"a\"\ndata = \"b\"", "config.toml, line 2: "), ("data = \"a\"\n=", "config.toml, line 2: ")] {
        assert!(with_file(text).complaint().starts_with(begin), "{}", with_file(text).complaint());
    }
}

#[test]
fn a_file_that_is_named_must_exist_and_is_the_only_one_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (named, standard) = (folder.path().join("named.toml"), folder.path().join("config.toml"));
    std::fs::write(&standard, "scrub_days = 1").expect("the folder takes a file");
    let environment = |_: &str| None;
    let surroundings = Surroundings { environment: &environment, standard_files: std::slice::from_ref(&standard) };
    let mut flags = Flags { config_file: Some(named.clone()), ..Flags::default() };
    assert!(matches!(load_from(&flags, &surroundings), Err(ConfigError::Unreadable { path, .. }) if path == named));
    std::fs::write(&named, "scrub_days = 2").expect("the folder takes a file");
    let load = |flags: &Flags| load_from(flags, &surroundings).expect("good settings");
    assert_eq!(load(&flags).0.store.scrub_days, 2);
    flags.config_file = None;
    assert_eq!(load(&flags).0.store.scrub_days, 1);
    let variable = |name: &str| (name == "STRONGROOM_CONFIG").then(|| OsString::from(&named));
    let surroundings = Surroundings { environment: &variable, standard_files: &[standard] };
    assert_eq!(load_from(&flags, &surroundings).expect("good settings").0.store.scrub_days, 2);
}

#[test]
fn the_first_standard_file_that_exists_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files: Vec<PathBuf> = ["one", "two", "three"].iter().map(|name| folder.path().join(name)).collect();
    for (file, text) in [(&files[1], "scrub_days = 2"), (&files[2], "scrub_days = 3")] {
        std::fs::write(file, text).expect("the folder takes a file");
    }
    let environment = |_: &str| None;
    let surroundings = Surroundings { environment: &environment, standard_files: &files };
    let (config, layers) = load_from(&Flags::default(), &surroundings).expect("good settings");
    assert_eq!((config.store.scrub_days, layers.file.as_ref()), (2, Some(&files[1])));
}

#[test]
fn every_check_says_what_is_wanted() {
    let clear = "plain_http (--plain-http): passwords would cross the network in the clear: listen on a loopback address, \
                 or name the proxy in front in trusted_proxies";
    let flags: [(&[(&str, &str)], &str); 35] = [
        (&[("plain_http", "true")], clear),
        (&[("plain_http", "true"), ("listen", "192.0.2.1:80")], clear),
        (&[("plain_http", "yes")], "plain_http (--plain-http): true or false is wanted, not `yes`"),
        (&[("tls_certificate", "c.pem")], "tls_certificate (--tls-certificate): tls_key is missing: set both or none"),
        (&[("tls_key", "k.pem")], "tls_key (--tls-key): tls_certificate is missing: set both or none"),
        (
            &[("plain_http", "true"), ("listen", "[::1]:80"), ("tls_certificate", "c"), ("tls_key", "k")],
            "tls_certificate (--tls-certificate): plain_http serves without TLS: set one of the two",
        ),
        (&[("metrics_listen", "[::]:9443")], "metrics_listen (--metrics-listen): a loopback address is wanted: metrics have no password"),
        (&[("listen", "8443")], "listen (--listen): an address with a port such as [::]:8443 or 127.0.0.1:8443 is wanted, not `8443`"),
        (&[("listen", "")], "listen (--listen): an address with a port such as [::]:8443 or 127.0.0.1:8443 is wanted"),
        (
            &[("public_url", "http://backup.example.com/")],
            "public_url (--public-url): it begins with https:// (http:// only with plain_http on a loopback address)",
        ),
        (
            &[("public_url", "http://localhost/"), ("plain_http", "true"), ("trusted_proxies", "192.0.2.1")],
            "public_url (--public-url): it begins with https:// (http:// only with plain_http on a loopback address)",
        ),
        (&[("trusted_proxies", "192.0.2.1, proxy")], "trusted_proxies (--trusted-proxies): `proxy` is not an IP address"),
        (&[("regions", "DFW,lon!")], "regions (--regions): a region is 1 to 32 letters, digits and dashes, not `lon!`"),
        (&[("regions", " , ")], "regions (--regions): at least one region is wanted, such as DFW"),
        (&[("regions", "DFW,ORD,dfw")], "regions (--regions): DFW is named twice"),
        (&[("data", "")], "data (--data): the path of a directory is wanted"),
        (&[("catalog", "mysql://x")], "catalog (--catalog): sqlite or a postgres:// URL is wanted"),
        (&[("catalog_readers", "0")], "catalog_readers (--catalog-readers): a whole number from 1 to 256 is wanted, not `0`"),
        (&[("header_seconds", "0")], "header_seconds (--header-seconds): a whole number from 1 to 86400 is wanted, not `0`"),
        (&[("header_seconds", "15s")], "header_seconds (--header-seconds): a whole number from 1 to 86400 is wanted, not `15s`"),
        (&[("header_bytes", "4 KiB")], "header_bytes (--header-bytes): a size from 8 KiB to 1 MiB is wanted, not `4 KiB`"),
        (&[("uri_bytes", "33 KiB")], "uri_bytes (--uri-bytes): a size from 4 KiB to 32 KiB is wanted, not `33 KiB`"),
        (&[("max_file_bytes", "5368709121")], "max_file_bytes (--max-file-bytes): a size from 1 B to 5 GiB is wanted, not `5368709121`"),
        (
            &[("drain_bytes", "lots")],
            "drain_bytes (--drain-bytes): a size is a whole number with or without a unit, such as 5368709120, 64 MiB or 10 GB, not `lots`",
        ),
        (
            &[("log_level", "inof")],
            "log_level (--log-level): error, warn, info, debug, trace or off is wanted, or TARGET=LEVEL, not `inof`",
        ),
        (&[("log_format", "xml")], "log_format (--log-format): text or json is wanted, not `xml`"),
        (
            &[("catalog_file", "/nowhere/catalog-url")],
            "catalog_file (--catalog-file): cannot read /nowhere/catalog-url: No such file or directory (os error 2)",
        ),
        (
            &[("smtp", "mail.example.net")],
            "smtp (--smtp): smtps://HOST[:465], smtp+starttls://HOST[:587] or, to this machine alone, smtp://localhost[:25] is wanted",
        ),
        (
            &[("smtp", "smtp://mail.example.net"), ("mail_from", "backup@example.net")],
            "smtp (--smtp): mail and password would cross the network in the clear: smtp:// is for localhost, elsewhere it is smtps:// \
             or smtp+starttls://",
        ),
        (&[("smtp", "smtp://localhost")], "smtp (--smtp): mail_from is missing: mail needs an address that it comes from"),
        (
            &[("smtp", "smtp://localhost"), ("mail_from", "Backup <backup@example.net>")],
            "mail_from (--mail-from): an address such as backup@example.net is wanted, not `Backup <backup@example.net>`",
        ),
        (
            &[("smtp", "smtp://localhost"), ("mail_from", "backup@example.net"), ("smtp_user", "ops")],
            "smtp_user (--smtp-user): smtp_password_file is missing: set both or none",
        ),
        (
            &[("smtp", "smtp://localhost"), ("mail_from", "backup@example.net"), ("smtp_password_file", "p")],
            "smtp_password_file (--smtp-password-file): smtp_user is missing: set both or none",
        ),
        (
            &[("smtp", "smtp://localhost"), ("mail_from", "backup@example.net"), ("smtp_ca_file", "ca.pem")],
            "smtp_ca_file (--smtp-ca-file): smtp:// is without TLS: there is no certificate to check",
        ),
        (
            &[("smtp", "smtps://mail.example.net"), ("mail_from", "backup@example.net"), ("smtp_ca_file", "config.example.toml")],
            "smtp_ca_file (--smtp-ca-file): config.example.toml holds no certificate in PEM",
        ),
    ];
    for (flags, complaint) in flags {
        assert_eq!(with_flags(flags).load().expect_err("wrong").to_string(), complaint, "{flags:?}");
    }
}

#[test]
fn plain_http_is_for_loopback_or_behind_a_named_proxy() {
    for flags in [
        &[("plain_http", "true"), ("listen", "127.0.0.2:80"), ("public_url", "http://localhost:80")][..],
        &[("plain_http", "true"), ("listen", "[::1]:80")],
        &[("plain_http", "true"), ("trusted_proxies", "192.0.2.1,2001:db8::1"), ("public_url", "https://backup.example.com")],
    ] {
        assert!(with_flags(flags).load().expect("good settings").0.server.plain_http);
    }
}

#[test]
fn regions_are_upper_case_in_the_order_in_which_they_are_named() {
    let regions = |world: &World| world.load().expect("good settings").0.server.regions;
    assert_eq!(regions(&World::default()), ["DFW"]);
    assert_eq!(regions(&with_flags(&[("regions", "ord, lon,")])), ["ORD", "LON"]);
    assert_eq!(regions(&with_file("regions = [\"syd\", \"eu-1\"]")), ["SYD", "EU-1"]);
}

#[test]
fn limits_hold_at_their_ends() {
    let limits = |flags: &[(&'static str, &'static str)]| with_flags(flags).load().expect("good settings").0.server.limits;
    assert_eq!(limits(&[("max_file_bytes", "5GiB")]).max_file_bytes, 5_368_709_120);
    assert_eq!(limits(&[("uri_bytes", "32 KiB")]).uri_bytes, 32 << 10);
    assert_eq!(limits(&[("connections_per_address", "0")]).connections_per_address, 0);
    assert_eq!(limits(&[("header_seconds", "86400")]).header_time.as_secs(), 86_400);
}

#[test]
fn a_catalog_url_is_never_shown() {
    const URL: &str = "postgres://strongroom:hunter2@db.example.com/strongroom";
    let world = World { environment: vec![("STRONGROOM_CATALOG", URL)], ..World::default() };
    let (config, layers) = world.load().expect("good settings");
    assert!(matches!(&config.store.catalog, CatalogTarget::Postgres(url) if url == URL));
    for text in [format!("{config:?}"), format!("{layers:?}"), layers.shown("catalog")] {
        assert!(text.contains("redacted") && !text.contains("hunter2"), "{text}");
    }
    for url in [URL, "postgres://db.example.com/strongroom?password=hunter2"] {
        let complaint = with_flags(&[("catalog", url)]).complaint();
        assert!(complaint.contains("seen by every user") && !complaint.contains("hunter2"), "{complaint}");
    }
    let misspelt = with_flags(&[("catalog", "postgre://strongroom:hunter2@db.example.com/")]).load().expect_err("wrong").to_string();
    assert!(!misspelt.contains("hunter2"), "{misspelt}");
}

#[test]
fn a_catalog_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("catalog-url");
    std::fs::write(&path, "postgres://strongroom:hunter2@db.example.com/strongroom\n").expect("the folder takes a file");
    let load = |mode: u32, catalog: &str| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
        let values = [("catalog_file", path.display().to_string()), ("catalog", catalog.to_owned())].into();
        load_from(&Flags { config_file: None, values }, &Surroundings { environment: &|_| None, standard_files: &[] })
    };
    let (config, _) = load(0o600, "sqlite").expect("good settings");
    assert!(matches!(config.store.catalog, CatalogTarget::Postgres(url) if url.ends_with("/strongroom")));
    for mode in [0o640, 0o604, 0o660] {
        assert!(load(mode, "sqlite").expect_err("others can read it").to_string().ends_with("can be read by others: give it mode 0600"));
    }
    let both = load(0o600, "postgres://db.example.com/").expect_err("two catalogs").to_string();
    assert_eq!(both, "catalog_file (--catalog-file): catalog names a catalog too: set one of the two");
}

#[test]
fn mail_is_sent_where_a_server_is_named() {
    let mails = |flags: &[(&'static str, &'static str)]| {
        let config = with_flags(flags).load().expect("good settings").0;
        (config.store.mails, config.mail.is_some())
    };
    assert_eq!(mails(&[]), (false, false));
    assert_eq!(mails(&[("mail_from", "not looked at"), ("smtp_user", "ops"), ("smtp_ca_file", "/nowhere")]), (false, false));
    assert_eq!(mails(&[("smtp", "smtp://localhost"), ("mail_from", "backup@example.net")]), (true, true));
}

#[test]
fn the_password_of_the_mail_server_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("smtp-password");
    let load = |mode: u32, password: &str| {
        std::fs::write(&path, password).expect("the folder takes a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
        let values = [("smtp", "smtps://mail.example.net"), ("mail_from", "backup@example.net"), ("smtp_user", "ops")];
        let values = values.map(|(name, text)| (name, text.to_owned()));
        let values = values.into_iter().chain([("smtp_password_file", path.display().to_string())]).collect();
        load_from(&Flags { config_file: None, values }, &Surroundings { environment: &|_| None, standard_files: &[] })
    };
    let (config, layers) = load(0o600, "hunter2 hunter2\n").expect("good settings");
    let login = config.mail.as_ref().and_then(|mail| mail.login.as_ref()).expect("a login");
    assert_eq!((login.user.as_str(), login.password.reveal()), ("ops", "hunter2 hunter2"));
    assert!(!format!("{config:?}{layers:?}").contains("hunter2"));
    for mode in [0o640, 0o604] {
        assert!(load(mode, "x").expect_err("others can read it").to_string().ends_with("can be read by others: give it mode 0600"));
    }
    assert!(load(0o600, "\n").expect_err("no password").to_string().ends_with("is empty"));
}

#[test]
fn a_password_in_the_url_of_the_mail_server_is_never_shown() {
    let world = with_flags(&[("smtp", "smtps://ops:hunter2@mail.example.net"), ("mail_from", "backup@example.net")]);
    assert!(!world.complaint().contains("hunter2"), "{}", world.complaint());
    let values = [("smtp", "smtps://ops:hunter2@mail.example.net".to_owned())].into();
    let layers = Layers::gather(&Flags { config_file: None, values }, &Surroundings { environment: &|_| None, standard_files: &[] });
    assert_eq!(layers.expect("read, not checked").shown("smtp"), "redacted");
}

#[test]
fn what_a_reload_cannot_change_is_named() {
    let layers = |flags: &[(&'static str, &'static str)]| with_flags(flags).load().expect("good settings").1;
    let old = layers(&[]);
    let reloadable = layers(&[("header_seconds", "5"), ("public_url", "https://backup.example.com/"), ("log_level", "debug")]);
    assert_eq!(old.waiting_for_restart(&reloadable), Vec::<&str>::new());
    let other = layers(&[("listen", "[::]:9000"), ("data", "/srv/b"), ("drain_bytes", "1 MiB")]);
    assert_eq!(old.waiting_for_restart(&other), ["data", "listen"]);
}
