//! Figures of the reliability tests: `ID figure seed` on one line, and a row for the table that `tests/run` makes of them.

use std::io::Write as _;

/// Says what a test measured: `id` is the row of the table, `part` tells apart what several tests of one row say, `seed` brings the
/// same run back.
///
/// The row goes into the folder that `STRONGROOM_FIGURES` names; without it the line is all there is.
pub fn figure(id: &str, part: &str, figure: &str, seed: Option<u64>) {
    let seed = seed.map_or_else(|| "-".to_owned(), |seed| format!("{seed:#x}"));
    let mut out = std::io::stderr().lock();
    writeln!(out, "{id} {part}: {figure} seed {seed}").expect("standard error takes a line");
    if let Some(folder) = std::env::var_os("STRONGROOM_FIGURES") {
        let row = format!("| {id} | {part} | {figure} | {seed} |\n");
        let file = std::path::Path::new(&folder).join(format!("{id} {}", part.replace('/', "-")));
        std::fs::write(file, row).expect("the folder of the figures takes a row");
    }
}
