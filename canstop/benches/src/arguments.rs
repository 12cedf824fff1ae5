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

/// Reads them, and ends the process at an option that the benchmark does not have.
pub fn read(known: &[&str]) -> Arguments {
    // Cargo adds `--bench`.
    let mut given = env::args().skip(1).filter(|argument| argument != "--bench").peekable();
    if given.next_if(|argument| argument == PART).is_some() {
        return Arguments::Part(given.collect());
    }
    let options: Vec<_> = given.collect();
    if let Some(unknown) = options.iter().find(|option| !known.contains(&option.as_str())) {
        eprintln!("there is no option `{unknown}`; there is {}", known.join(", "));
        exit(2);
    }
    Arguments::Options(options)
}
