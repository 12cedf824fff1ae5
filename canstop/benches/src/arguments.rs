//! The command line.

use std::env;
use std::process::exit;

/// What a benchmark is to run.
#[derive(Debug)]
pub enum Arguments {
    /// The benchmark itself, with these options.
    Options(Vec<String>),
    /// A part of it, in a process of its own.
    Part(Vec<String>),
}

/// The argument that [`child`](crate::child) puts before those of a part.
pub(crate) const PART: &str = "--part";

/// Reads the arguments. Exits the process if an option is unknown, or if `--bench` is missing: `cargo test
/// --benches` runs benchmarks too.
pub fn read(known: &[&str]) -> Arguments {
    let mut given: Vec<_> = env::args().skip(1).collect();
    if given.first().is_some_and(|first| first == PART) {
        return Arguments::Part(given.split_off(1));
    }
    let before = given.len();
    given.retain(|argument| argument != "--bench");
    if given.len() == before {
        println!("not measured: run `cargo bench`, which passes `--bench`");
        exit(0);
    }
    if let Some(unknown) = given.iter().find(|option| !known.contains(&option.as_str())) {
        eprintln!("there is no option `{unknown}`; there is {}", known.join(", "));
        exit(2);
    }
    Arguments::Options(given)
}
