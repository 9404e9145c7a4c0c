//! The presets: one TOML file a provider, embedded in the binary. What they are is data; nothing here knows any of them.

use toml::{Table, Value};

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// The names of all presets, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The text of a preset's file.
pub fn text(name: &str) -> Option<&'static str> {
    find(TEXTS, name)
}

/// The keys of a preset.
pub fn table(name: &str) -> Option<Table> {
    // The build has written it: a test compares each with its file.
    find(TABLES, name).and_then(|json| serde_json::from_str(json).ok())
}

fn find(among: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    let found = among.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// The user's table over the preset's: tables key by key, everything else replaced.
pub fn overlay(under: Table, over: Table) -> Table {
    let mut merged = under;
    for (key, value) in over {
        let value = match (merged.remove(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => Value::Table(overlay(under, over)),
            (_, value) => value,
        };
        merged.insert(key, value);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_merge_and_all_else_is_replaced() {
        let under = "a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = { z = 1 }"
            .parse()
            .unwrap();
        let over = "list = [3]\n[t]\nx = 2\ny = { w = 1 }".parse().unwrap();
        let expected: Table = "a = 1\nlist = [3]\n[t]\nx = 2\ny = { z = 1, w = 1 }"
            .parse()
            .unwrap();
        assert_eq!(overlay(under, over), expected);
    }

    #[test]
    fn every_preset_is_toml_and_its_name_is_its_files() {
        assert!(names().any(|name| name == "generic"));
        assert_eq!(text("no-such-preset"), None);
        for name in names() {
            let written: Table = text(name).unwrap().parse().unwrap();
            assert_eq!(table(name), Some(written), "{name}");
        }
    }
}
