//! Embeds every preset: so a new one is a new file, and no Rust.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo speaks to a build script through its environment"
)]

use std::{env, error::Error, fs, path::PathBuf};

const FOLDER: &str = "src/sources/presets";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push((name.to_owned(), path));
        }
    }
    names.sort();
    let mut code = String::from("const PRESETS: &[(&str, &str)] = &[\n");
    for (name, path) in names {
        code.push_str(&format!("    ({name:?}, include_str!({path:?})),\n"));
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("presets.rs"), code)?;
    Ok(())
}
