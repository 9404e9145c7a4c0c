//! Writes the seeds of one target into a folder, which must be there: `seeds TARGET FOLDER`.

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(target), Some(folder)) = (arguments.next(), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    let folder = PathBuf::from(folder);
    let seeds = fuzz::seeds::all()
        .into_iter()
        .filter(|seed| seed.target == target);
    let mut written = 0;
    for seed in seeds {
        if fs::write(folder.join(&seed.name), &seed.data).is_err() {
            return ExitCode::FAILURE;
        }
        written += 1;
    }
    match written {
        0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
