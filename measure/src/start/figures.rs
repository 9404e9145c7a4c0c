//! All figures, and how they are printed.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::table::Table;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The function, and what it is compared with.
    pub binaries: (PathBuf, PathBuf),
    /// Line by line.
    pub table: Table,
    /// With the shares of a CPU that functions have on Lambda, smallest first.
    pub sizes: Vec<Size>,
    /// Why nothing was measured with a share of a CPU.
    pub without_shares: Option<String>,
}

/// A function's start with as much of a CPU as Lambda gives it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// The function's memory.
    pub memory_mb: u32,
    /// Its share of a CPU.
    pub cpus: f64,
    /// From the start to asking for the first event.
    pub init_ms: f64,
    /// The same of the smallest function.
    pub smallest_init_ms: f64,
    /// From the start to the answer of the first webhook.
    pub first_ms: f64,
    /// The same where all requests go over TLS.
    pub first_over_tls_ms: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            binaries: (function, smallest),
            table,
            sizes,
            without_shares,
        } = self;
        writeln!(f, "the function       {}", function.display())?;
        writeln!(f, "compared with      {}\n", smallest.display())?;
        writeln!(f, "{table}")?;
        if let Some(why) = without_shares {
            return writeln!(f, "with a share of a CPU: not measured: {why}");
        }
        for size in sizes {
            let Size {
                memory_mb,
                cpus,
                init_ms,
                smallest_init_ms,
                first_ms,
                first_over_tls_ms,
            } = size;
            writeln!(
                f,
                "with {memory_mb:>4} MB, {cpus:.3} of a CPU: init {init_ms:.0} ms, the smallest {smallest_init_ms:.0} ms; first answer after {first_ms:.0} ms, over TLS {first_over_tls_ms:.0} ms"
            )?;
        }
        writeln!(
            f,
            "Lambda adds its own: it fetches the package and starts a micro-VM, and what is talked to is further away."
        )
    }
}
