//! `pipeline`: see the library for everything it does.
//! Unaware of all of it but the allocator, which every plan of thousands of stages feels.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    pipeline::cli::main()
}
