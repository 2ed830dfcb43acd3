//! What was known at an instant equals a fresh installation fed only with what was appended before it; and sums that followed
//! every cut equal sums made at once, and both equal what the intervals of the devices say one by one. Nor does it matter in which
//! order and how often facts come: once all are there, every KPI is the same.

#[path = "../bench/src/compact.rs"]
mod compact;
#[path = "../bench/fleet/install.rs"]
mod install;
mod retold;
mod stories;
mod story;

/// As the product has: half of the time goes into the plans of questions, which are many small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
