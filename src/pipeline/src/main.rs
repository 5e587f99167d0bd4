//! `pipeline`: see the library for everything it does.

fn main() -> std::process::ExitCode {
    pipeline::cli::main()
}
