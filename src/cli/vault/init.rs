//! `vault init`: a new repository.

use serde_json::json;

use super::repository::RepositoryArgs;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::config::Version;

#[derive(clap::Args)]
pub struct Init {
    /// Version of the format; only 2 compresses
    #[arg(long, value_name = "1|2", default_value = "2", value_parser = version)]
    repository_version: Version,
    #[command(flatten)]
    repository: RepositoryArgs,
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "1" => Ok(Version::One),
        "2" | "stable" | "latest" => Ok(Version::Two),
        _ => Err("1 or 2 is wanted".to_owned()),
    }
}

impl Init {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let session = self.repository.init(self.repository_version, console)?;
        let config = session.repository.config();
        let (id, place) = (config.id.hex(), session.place());
        let answer = json!({ "id": id, "repository": place, "version": u32::from(config.version) });
        console.answer_either(&answer, || {
            format!(
                "Repository {} is made at {place}\nKeep the password in a second place: without it nobody can read what is stored, ever.\n",
                &id[..8]
            )
        })
    }
}
