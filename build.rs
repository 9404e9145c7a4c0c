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
    let mut presets = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            println!("cargo::rerun-if-changed={FOLDER}/{name}.toml");
            presets.push((name.to_owned(), fs::read_to_string(&path)?));
        }
    }
    presets.sort();
    // The texts themselves and not their paths: a build folder may be used by another checkout.
    let mut code = String::from("const PRESETS: &[(&str, &str)] = &[\n");
    for (name, text) in presets {
        code.push_str(&format!("    ({name:?}, {text:?}),\n"));
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("presets.rs"), code)?;
    Ok(())
}
