//! The options of `vault forget`, with restic's names and meanings.

use crate::cli::failure::Failure;
use crate::cli::vault::prune::PruneArgs;
use crate::cli::vault::repository::RepositoryArgs;
use crate::cli::vault::selection::LongSelectionArgs;
use crate::cli::vault::snapshots::group_by;
use crate::vault::forget::{Duration, GroupBy, Keep, Policy};
use crate::vault::snapshots::Filter;

#[derive(clap::Args)]
pub struct Forget {
    /// Remove these, whatever the rules say: beginnings of ids, or `latest`
    #[arg(value_name = "SNAPSHOT", conflicts_with = "rules")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    rules: Rules,
    /// Judge snapshots together that have these in common: host, paths, tags, with commas between; '' for all together
    #[arg(short, long, value_name = "GROUP", default_value = "host,paths", value_parser = group_by)]
    pub(super) group_by: GroupBy,
    #[command(flatten)]
    pub(super) selection: LongSelectionArgs,
    /// Remove the data, too, that no snapshot needs any more
    #[arg(long)]
    pub(super) prune: bool,
    #[command(flatten)]
    pub(super) how: PruneArgs,
    /// Change nothing: say what would be done
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Without any rule, remove all snapshots that --host, --tag and --path leave
    #[arg(long)]
    unsafe_allow_remove_all: bool,
    #[command(flatten)]
    pub(super) repository: RepositoryArgs,
}

/// What is kept. Each rule stands for itself: a snapshot is kept if any keeps it.
#[derive(clap::Args)]
#[group(id = "rules", multiple = true)]
struct Rules {
    /// Keep the last N
    #[arg(short = 'l', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_last: Option<Keep>,
    /// Keep the last of each of the last N hours that have one
    #[arg(short = 'H', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_hourly: Option<Keep>,
    /// The same for days
    #[arg(short = 'd', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_daily: Option<Keep>,
    /// The same for weeks
    #[arg(short = 'w', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_weekly: Option<Keep>,
    /// The same for months
    #[arg(short = 'm', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_monthly: Option<Keep>,
    /// The same for years
    #[arg(short = 'y', long, value_name = "N|unlimited", value_parser = keep, allow_hyphen_values = true)]
    keep_yearly: Option<Keep>,
    /// Keep all that are at most so much older than the newest, such as 1y5m7d2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within: Option<Duration>,
    /// Keep the last of each hour of that time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within_hourly: Option<Duration>,
    /// The same for days
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within_daily: Option<Duration>,
    /// The same for weeks
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within_weekly: Option<Duration>,
    /// The same for months
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within_monthly: Option<Duration>,
    /// The same for years
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_within_yearly: Option<Duration>,
    /// Keep all that have all of these tags
    #[arg(long, value_name = "TAG[,TAG…]")]
    keep_tag: Vec<String>,
}

fn keep(text: &str) -> Result<Keep, String> {
    Keep::parse(text).ok_or_else(|| "a number, or unlimited, is wanted".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).map_err(|error| error.to_string())
}

impl Rules {
    fn policy(&self) -> Policy {
        Policy {
            last: self.keep_last.unwrap_or_default(),
            hourly: self.keep_hourly.unwrap_or_default(),
            daily: self.keep_daily.unwrap_or_default(),
            weekly: self.keep_weekly.unwrap_or_default(),
            monthly: self.keep_monthly.unwrap_or_default(),
            yearly: self.keep_yearly.unwrap_or_default(),
            within: self.keep_within.unwrap_or_default(),
            within_hourly: self.keep_within_hourly.unwrap_or_default(),
            within_daily: self.keep_within_daily.unwrap_or_default(),
            within_weekly: self.keep_within_weekly.unwrap_or_default(),
            within_monthly: self.keep_within_monthly.unwrap_or_default(),
            within_yearly: self.keep_within_yearly.unwrap_or_default(),
            tags: self.keep_tag.iter().map(|list| Filter::tag_list(list)).collect(),
        }
    }
}

impl Forget {
    /// The rules. Having none is wrong usage, unless snapshots are named, or all that a filter leaves are to go.
    pub(super) fn policy(&self) -> Result<Policy, Failure> {
        let policy = self.rules.policy();
        if !self.names.is_empty() || !policy.is_empty() {
            return Ok(policy);
        }
        match (self.unsafe_allow_remove_all, self.selection.filter() == Filter::default()) {
            (true, false) => Ok(policy),
            (true, true) => Err(Failure::usage("--unsafe-allow-remove-all goes with --host, --tag or --path only: nothing was removed")),
            (false, _) => {
                let failure = Failure::usage("no rule says what is kept: nothing was removed");
                Err(failure.with_hint("say for example --keep-daily 7 --keep-weekly 5 --keep-monthly 12, or name snapshots"))
            }
        }
    }
}
