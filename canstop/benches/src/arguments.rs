//! What stands on the command line.

use std::env;
use std::process::exit;

/// What a benchmark is asked to do.
#[derive(Debug)]
pub enum Arguments {
    /// The benchmark itself, with these options.
    Options(Vec<String>),
    /// A part of it, in a process of its own.
    Part(Vec<String>),
}

/// What [`child`](crate::child) puts before the arguments of a part.
pub(crate) const PART: &str = "--part";

/// Reads them. MainChannels the process at an option that the benchmark does not have, and where nobody asked
/// for a benchmark: `cargo test --benches` runs it too.
pub fn read(known: &[&str]) -> Arguments {
    let mut given: Vec<_> = env::args().skip(1).collect();
    if given.first().is_some_and(|first| first == PART) {
        return Arguments::Part(given.split_off(1));
    }
    let before = given.len();
    given.retain(|argument| argument != "--bench");
    if given.len() == before {
        println!("not measured: `cargo bench` measures, and says so with `--bench`");
        exit(0);
    }
    if let Some(unknown) = given.iter().find(|option| !known.contains(&option.as_str())) {
        eprintln!("there is no option `{unknown}`; there is {}", known.join(", "));
        exit(2);
    }
    Arguments::Options(given)
}
