//! What the small copies hold of the control plane: agents with the hashes of their keys, generations, configurations, the rows of
//! backups that can be restored, and the numbers that must not fall. No passphrase, no password, nothing that opens a vault.
//!
//! Rows are copied column by column, by name: a later version, whose tables have more columns with defaults, reads them, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::ending::ended;
use super::{Rows, json};
use crate::model::instant::Instant;
use crate::store::catalog::{Connection, Value};

/// A table, its key, the columns that are copied, and which rows.
struct Table {
    name: &'static str,
    key: &'static str,
    columns: &'static [&'static str],
    condition: &'static str,
}

const TABLES: [Table; 4] = [
    Table {
        name: "agents",
        key: "id",
        columns: &[
            "id",
            "tenant",
            "account",
            "key",
            "fingerprint",
            "incarnation",
            "version",
            "machine_name",
            "host_server_id",
            "ip_address",
            "operating_system",
            "operating_system_version",
            "architecture",
            "datacenter",
            "backup_datacenter",
            "modulus",
            "exponent",
            "uses_service_net",
            "uses_failover",
            "log_level",
            "disabled",
            "registered_at",
            "seen_at",
            "seen_served",
            "work",
            "cleanup_due_at",
            "last_success_at",
            "vault_bytes",
            "deleted_at",
        ],
        condition: "",
    },
    Table {
        name: "generations",
        key: "account, number",
        columns: &["account", "number", "encrypted", "made_at", "ready_at"],
        condition: "",
    },
    Table {
        name: "configurations",
        key: "id",
        columns: &[
            "id",
            "schedule",
            "tenant",
            "agent",
            "name",
            "active",
            "frequency",
            "hour",
            "minute",
            "half",
            "day",
            "every_hours",
            "zone",
            "anchor_at",
            "next_at",
            "recipients",
            "notify_success",
            "notify_failure",
            "retention_days",
            "missed_action",
            "prescript",
            "postscript",
            "selection",
            "size",
            "catch_up_at",
            "missed_mailed_at",
            "deleted_at",
            "keeps_backups",
        ],
        condition: "",
    },
    Table {
        name: "runs",
        key: "id",
        columns: &[
            "id",
            "kind",
            "tenant",
            "agent",
            "source",
            "maker",
            "configuration",
            "backup",
            "state",
            "live",
            "attempt",
            "due_at",
            "catch_up",
            "occurrences",
            "changed_at",
            "changed_served",
            "progress_served",
            "started_at",
            "completed_at",
            "files_searched",
            "bytes_searched",
            "errors",
            "snapshot",
            "snapshot_number",
            "generation",
            "forgotten_at",
            "vanished_at",
            "hidden_bytes",
            "hidden_most",
        ],
        condition: "WHERE kind = 'Backup' AND snapshot IS NOT NULL AND forgotten_at IS NULL",
    },
];

/// How many ids a catalog may have given since its newest copy was written: they are passed over.
const SKIPPED_IDS: i64 = 10_000;

/// The control plane in one copy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FleetCopy {
    ids: i64,
    work: i64,
    served: i64,
    tables: Vec<TableCopy>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TableCopy {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    Null,
    Int(i64),
    Text(String),
    /// Base64.
    Bytes {
        b: String,
    },
}

pub(in super::super) fn snapshot(connection: &mut dyn Connection) -> Rows<FleetCopy> {
    let mut copy = FleetCopy { served: super::served(connection)?, ..FleetCopy::default() };
    for row in connection.query("SELECT name, value FROM counters WHERE name IN ('ids', 'work')", &[])? {
        let number = if row.text(0)? == "ids" { &mut copy.ids } else { &mut copy.work };
        *number = row.int(1)?;
    }
    for table in &TABLES {
        let statement = format!("SELECT {} FROM {} {} ORDER BY {}", table.columns.join(", "), table.name, table.condition, table.key);
        let rows = connection.query(&statement, &[])?;
        copy.tables.push(TableCopy {
            name: table.name.to_owned(),
            columns: table.columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: rows.iter().map(|row| row.0.iter().map(Cell::of).collect()).collect(),
        });
    }
    Ok(copy)
}

/// Puts a newer copy's rows in the place of the catalog's, and passes over the ids that may have been given since. What it brought back,
/// in words.
pub(in super::super) fn load(connection: &mut dyn Connection, copy: &FleetCopy, now: Instant) -> Rows<Vec<String>> {
    let mut brought = Vec::new();
    // A copy has all of these: what is not in it was not there any more, and a name may have gone from one to another.
    for table in TABLES.iter().filter(|table| table.condition.is_empty()) {
        connection.execute(&format!("DELETE FROM {}", table.name), &[])?;
    }
    // A backup that the copy does not have was forgotten since: that its snapshot is gone is no news.
    let known = "UPDATE runs SET vanished_at = $1 WHERE kind = 'Backup' AND snapshot IS NOT NULL AND forgotten_at IS NULL";
    connection.execute(known, &[now.micros().into()])?;
    for table in &TABLES {
        let Some(copied) = copy.tables.iter().find(|copied| copied.name == table.name) else { continue };
        let known: Vec<(usize, &String)> =
            copied.columns.iter().enumerate().filter(|(_, column)| table.columns.contains(&column.as_str())).collect();
        let names: Vec<&str> = known.iter().map(|(_, column)| column.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let keys: Vec<&str> = table.key.split(", ").collect();
        let sets: Vec<String> = names.iter().filter(|name| !keys.contains(name)).map(|name| format!("{name} = excluded.{name}")).collect();
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
            table.name,
            names.join(", "),
            places.join(", "),
            table.key,
            sets.join(", ")
        );
        for row in &copied.rows {
            let values: Option<Vec<Value>> = known.iter().map(|(place, _)| row.get(*place)?.value()).collect();
            let Some(values) = values else { continue };
            if table.name == "runs" {
                make_way(connection, &names, &values)?;
            }
            connection.execute(&statement, &values)?;
        }
        if !copied.rows.is_empty() {
            brought.push(format!("{} of the control plane: {}", table.name, copied.rows.len()));
        }
    }
    let lost = json::report(&ended("Success", "Its report was lost with the catalog.")).to_string();
    connection.execute("UPDATE runs SET report = $1 WHERE kind = 'Backup' AND live = 0 AND report IS NULL", &[lost.into()])?;
    let raise = "UPDATE counters SET value = $2 WHERE name = $1 AND value < $2";
    connection.execute(raise, &["ids".into(), (copy.ids + SKIPPED_IDS).into()])?;
    connection.execute(raise, &["work".into(), copy.work.into()])?;
    connection.execute("UPDATE fleet_clock SET served = $1 WHERE id = 1 AND served < $1", &[copy.served.into()])?;
    Ok(brought)
}

/// Takes away another run of the same occurrence.
fn make_way(connection: &mut dyn Connection, names: &[&str], values: &[Value]) -> Rows<()> {
    let of = |name: &str| names.iter().position(|known| *known == name).map_or(Value::Null, |place| values[place].clone());
    if of("due_at") == Value::Null {
        return Ok(());
    }
    let statement = "DELETE FROM runs WHERE id <> $1 AND configuration = $2 AND due_at = $3 AND catch_up = $4";
    connection.execute(statement, &["id", "configuration", "due_at", "catch_up"].map(of)).map(drop)
}

impl Cell {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => Self::Bytes { b: STANDARD.encode(bytes) },
        }
    }

    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Bytes { b } => Value::Bytes(STANDARD.decode(b).ok()?),
        })
    }
}
