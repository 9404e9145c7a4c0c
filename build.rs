//! Embeds every preset: so a new one is a new file, and no Rust. Each as it is written, and as JSON: every start of the
//! function reads some of them, and JSON is read in a tenth of the time.

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
    let mut texts = String::new();
    let mut tables = String::new();
    for (name, text) in presets {
        let table: toml::Table = text
            .parse()
            .map_err(|error| format!("{FOLDER}/{name}.toml: {error}"))?;
        let json = serde_json::to_string(&table)?;
        texts.push_str(&format!("    ({name:?}, {text:?}),\n"));
        tables.push_str(&format!("    ({name:?}, {json:?}),\n"));
    }
    let code = format!(
        "const TEXTS: &[(&str, &str)] = &[\n{texts}];\nconst TABLES: &[(&str, &str)] = &[\n{tables}];\n"
    );
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("presets.rs"), code)?;
    Ok(())
}
