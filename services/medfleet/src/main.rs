//! The server binary. All of it is a library, which is compiled beside the services it runs and not after them.

/// Facts and rows are many small pieces that come and go on several threads: here most allocators lose a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    medfleet::run()
}
