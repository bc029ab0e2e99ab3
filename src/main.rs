//! The `lets-meet` program: everything it does is in the library.

fn main() -> std::process::ExitCode {
    lets_meet::cli::main()
}
