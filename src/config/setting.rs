//! The table of settings: one row has the name, the default and the why of each.
//!
//! Flag, environment variable, key in the file, `config show` and the help text all come from this table.

/// What a value looks like in the file. Everywhere else a value is text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Number,
    /// A number of bytes: a number, or text such as `64 MiB`.
    Size,
    Flag,
    /// An array of texts; elsewhere separated by commas.
    List,
}

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// `header_seconds`; the flag is `--header-seconds`, the variable `STRONGROOM_HEADER_SECONDS`.
    pub name: &'static str,
    pub kind: Kind,
    /// As text; empty where it is unset.
    pub default: &'static str,
    /// One line: what it bounds or names.
    pub help: &'static str,
    /// Whether SIGHUP puts a new value in force; the others wait for a restart.
    pub is_reloadable: bool,
}

const fn setting(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { name, kind, default, help, is_reloadable: false }
}

const fn reloadable(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { name, kind, default, help, is_reloadable: true }
}

/// Every setting, in the order in which they are shown.
pub const SETTINGS: [Setting; 42] = [
    setting("data", Kind::Text, "data", "The data directory"),
    setting("catalog", Kind::Text, "sqlite", "The catalog: sqlite (in the data directory) or a postgres:// URL"),
    setting("catalog_file", Kind::Text, "", "A file of mode 0600 that holds the catalog's URL, so that its password is on no command line"),
    setting("catalog_readers", Kind::Number, "4", "Threads that read the catalog, each with a connection of its own"),
    setting("listen", Kind::Text, "[::]:8443", "Address and port of the listener"),
    reloadable("public_url", Kind::Text, "", "https://HOST[:PORT]/ for access URLs and links"),
    setting("plain_http", Kind::Flag, "false", "HTTP without TLS: on loopback, or behind trusted_proxies"),
    setting("trusted_proxies", Kind::List, "", "Addresses of the proxies whose X-Forwarded-For is believed"),
    reloadable("tls_certificate", Kind::Text, "", "Certificate chain in PEM, instead of the self-signed one in data/tls"),
    reloadable("tls_key", Kind::Text, "", "Key of tls_certificate in PEM, readable by the server alone"),
    setting("regions", Kind::List, "DFW", "Regions that Cloud Backup clients may ask for; all are this server"),
    setting("list_agents_status", Kind::Text, "offline", "What the list of agents says of their status: offline, unknown or live"),
    setting("vault_secret", Kind::Text, "", "The file that opens vaults nobody encrypted, instead of vault-secret in the data directory"),
    setting("metrics_listen", Kind::Text, "", "Loopback address and port that answers /metrics"),
    setting(
        "smtp",
        Kind::Text,
        "",
        "The server that takes mail: smtps://HOST, smtp+starttls://HOST, or smtp://localhost; empty is no mail",
    ),
    setting("mail_from", Kind::Text, "", "The address that mail comes from"),
    setting("smtp_user", Kind::Text, "", "The name to log in with at the mail server"),
    setting("smtp_password_file", Kind::Text, "", "A file of mode 0600 that holds the password of smtp_user"),
    setting("smtp_ca_file", Kind::Text, "", "Certificates in PEM that the mail server's is checked against, instead of the system's"),
    reloadable("log_level", Kind::Text, "info", "What is logged: error, warn, info, debug, or a filter such as strongroom=debug"),
    setting("log_format", Kind::Text, "text", "text for people, json for machines"),
    reloadable("header_seconds", Kind::Number, "15", "From the first byte of a request to the end of its headers"),
    reloadable("handshake_seconds", Kind::Number, "10", "For a TLS handshake"),
    reloadable("idle_seconds", Kind::Number, "75", "An idle connection stays open this long"),
    reloadable("progress_seconds", Kind::Number, "60", "A transfer without a byte of progress ends after this"),
    reloadable("drain_seconds", Kind::Number, "30", "How long the body of a refused upload is read and thrown away"),
    reloadable("drain_bytes", Kind::Size, "256 MiB", "How much of the body of a refused upload is read and thrown away"),
    reloadable("shutdown_seconds", Kind::Number, "60", "Running transfers get this long after SIGTERM"),
    reloadable("header_bytes", Kind::Size, "32 KiB", "All headers of a request together"),
    reloadable("header_count", Kind::Number, "100", "Headers of a request"),
    reloadable("uri_bytes", Kind::Size, "8 KiB", "The URL of a request"),
    reloadable("max_file_bytes", Kind::Size, "5368709120", "The largest file; at most 5368709120"),
    reloadable("connections", Kind::Number, "16000", "Open connections"),
    reloadable("connections_per_address", Kind::Number, "5000", "Open connections from one address; 0 is no limit"),
    reloadable("login_failures_per_minute", Kind::Number, "10", "Wrong logins a minute from one address before it hears 429"),
    reloadable("login_failures_per_minute_in_all", Kind::Number, "3000", "Wrong logins a minute from everywhere before they hear 429"),
    reloadable(
        "log_lines_per_minute",
        Kind::Number,
        "600",
        "Log lines a minute about one address's requests without an account; 0 is no limit",
    ),
    setting("sandbox", Kind::Flag, "true", "Give up every file and program that serving does not need (Landlock, no_new_privs)"),
    setting("disk_reserve", Kind::Size, "64 MiB", "Disk space that uploads leave to the catalog and to expiry"),
    setting("scrub_days", Kind::Number, "30", "Every file is read against its digest once in this many days; 0 is never"),
    setting("control_copies", Kind::Number, "30", "Copies of accounts and retentions kept beside the files"),
    setting("sessions_per_account", Kind::Number, "100", "Live sessions of an account; one more ends the oldest"),
];

impl Setting {
    /// The setting of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// `header-seconds`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// `STRONGROOM_HEADER_SECONDS`.
    pub fn variable(&self) -> String {
        format!("STRONGROOM_{}", self.name.to_ascii_uppercase())
    }
}
