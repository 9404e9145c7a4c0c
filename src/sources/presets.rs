//! The presets: one TOML file a provider, embedded in the binary. What they are is data; nothing here knows any of them.

use toml::{Table, Value};

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// The names of all presets, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The text of a preset's file.
pub fn text(name: &str) -> Option<&'static str> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
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
            let table: Result<Table, _> = text(name).unwrap().parse();
            assert!(table.is_ok(), "{name}: {table:?}");
        }
    }
}
