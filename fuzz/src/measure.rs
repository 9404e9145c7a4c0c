//! What work costs: allocations and bytes, counted, and time, measured where it is fuzzed.
//!
//! Counts are the same in every run, so they are checked in tests too. Time is not; it is only looked at by the targets that
//! libFuzzer runs, three times, and the best counts.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How much may be allocated: so much, and so much more a byte of input.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes that are allocated for any input, given back or not.
    pub bytes: usize,
    /// Bytes that are allocated for each byte of input.
    pub bytes_a_byte: usize,
    /// Allocations for any input.
    pub times: usize,
    /// Allocations for each 16 bytes of input.
    pub times_a_line: usize,
}

/// Does `work`, which takes an input of `size` bytes, and checks what it allocates.
///
/// # Panics
/// Where it is more than the bound: work that grows faster than its input.
pub fn linear<T>(what: &str, size: usize, bound: Bound, work: impl FnOnce() -> T) -> T {
    let region = Region::new(ALLOCATOR);
    let done = work();
    let spent = region.change();
    let times = spent.allocations + spent.reallocations;
    let most_bytes = bound.bytes + bound.bytes_a_byte * size;
    let most_times = bound.times + bound.times_a_line * size.div_ceil(16);
    assert!(
        spent.bytes_allocated <= most_bytes && times <= most_times,
        "{what} of {size} bytes allocates {} bytes (at most {most_bytes}) in {times} allocations (at most {most_times})",
        spent.bytes_allocated,
    );
    done
}

/// What one input may take of time, in milliseconds, whatever it is; a byte of it adds 20 microseconds. Generous by far: it is
/// for what grows with the square.
#[cfg(feature = "libfuzzer")]
const MOST_MILLISECONDS: u64 = 150;

/// Checks an input, and how long that takes: by the clock, and where that is too long three times more, by what the processor
/// was busy, since others may have been waited for.
///
/// # Panics
/// As the target, and where it took too long three times.
#[cfg(feature = "libfuzzer")]
pub fn timed(target: crate::Target, data: &[u8]) {
    use std::time::{Duration, Instant};

    let bytes = u32::try_from(data.len()).unwrap();
    let most = Duration::from_millis(MOST_MILLISECONDS) + Duration::from_micros(20) * bytes;
    let begun = Instant::now();
    target(data);
    if begun.elapsed() <= most {
        return;
    }
    let again = (0..3).map(|_| {
        let before = busy();
        target(data);
        busy().saturating_sub(before)
    });
    let best = again.min().unwrap();
    assert!(
        best <= most,
        "{bytes} bytes take {best:?}, and at most {most:?} would do"
    );
}

/// How long the processor has been busy with this thread, by Linux.
#[cfg(feature = "libfuzzer")]
fn busy() -> std::time::Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    std::time::Duration::from_nanos(nanoseconds.expect("a number"))
}
