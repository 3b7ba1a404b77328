//! The program: parses the command line and dispatches.

fn main() -> std::process::ExitCode {
    call_analytics::cli::main()
}
