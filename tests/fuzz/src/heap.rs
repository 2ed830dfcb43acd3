//! The only witness of what is allocated: an allocator that counts, for each thread by itself.
#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Passes everything on to the system's allocator and counts.
pub struct Heap;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends its counters are gone; nobody measures then.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters touch no memory of it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes this thread has allocated and not freed. Below zero when it frees what others have allocated.
pub(crate) fn live() -> isize {
    LIVE.with(Cell::get)
}

/// Forgets the peak so far, and answers what is live now.
pub(crate) fn begin() -> isize {
    let now = live();
    PEAK.with(|peak| peak.set(now));
    now
}

pub(crate) fn peak_since(before: isize) -> usize {
    usize::try_from(PEAK.with(Cell::get) - before).unwrap_or(0)
}

/// Heap bytes at the peak of what this thread runs, beyond what was live before.
pub fn peak_of(run: impl FnOnce()) -> usize {
    let before = begin();
    run();
    peak_since(before)
}
