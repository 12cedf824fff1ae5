//! Options: one reader and one table for all of the crate's macros.

mod duration;
mod entry;
mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod words;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::Path;

pub(crate) use entry::Entry;
pub(crate) use value::{Backoff, Count, Crates, Flag, Functions, Label, Limit, Name, Needs, Positive, Setting};
pub(crate) use words::{Allowances, Clock, Everywhere, Flavor, Ready, Restart, Start, Switch};

use crate::diag::Errors;
use crate::tokens;
use suggest::{nearest, one_of};
use value::Value;

/// The macro that an option is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Main,
    Service,
    Test,
    Session,
    BlockingSession,
}

impl Location {
    /// The macro as users write it.
    pub(crate) fn spelled(self) -> &'static str {
        match self {
            Self::Main => "#[canstop::main]",
            Self::Service => "#[canstop::service]",
            Self::Test => "#[canstop::test]",
            Self::Session => "spawn_session!",
            Self::BlockingSession => "spawn_blocking_session!",
        }
    }
}

/// An option that was given, with the key that messages about it point at.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// What a message can say of an option.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Distinguishes options of one name that take different values in different macros.
    field: &'static str,
    pub(crate) takes: &'static str,
    pub(crate) form: &'static str,
}

/// Writes the table out as a struct with a field for each option and a reader for all of them.
macro_rules! options {
    ($($name:literal $field:ident: $type:ty, [$($place:ident)*], $takes:literal, $form:literal;)*) => {
        /// The options that were given and could be read.
        #[derive(Default)]
        pub(crate) struct Options {
            $(pub(crate) $field: Option<Given<$type>>,)*
            /// The names that were given, readable or not: a second one is a fault either way.
            seen: Vec<String>,
        }

        /// Every option, and the macros that take it.
        const TABLE: &[(Row, &[Location])] = &[
            $((Row { name: $name, field: stringify!($field), takes: $takes, form: $form }, &[$(Location::$place),*]),)*
        ];

        impl Options {
            /// Reads the value of an option that is known to be in its place.
            fn fill(&mut self, entry: &Entry, row: &Row) -> syn::Result<()> {
                match row.field {
                    $(stringify!($field) => {
                        let value = <$type>::read(entry, row)?;
                        self.$field = Some(Given { key: entry.key.clone(), value });
                    })*
                    _ => unreachable!("rows come from the same table"),
                }
                Ok(())
            }
        }
    };
}

options! {
    "grace" grace: Setting<Positive>, [Main Service Test Session BlockingSession], "a duration", r#"grace = "5s""#;
    "drain_delay" drain_delay: Setting<Duration>, [Main Test], "a duration", r#"drain_delay = "2s""#;
    "flavor" flavor: Setting<Flavor>, [Main], r#""multi_thread" or "current_thread""#, r#"flavor = "multi_thread""#;
    "worker_threads" worker_threads: Setting<Count>, [Main], "a number", "worker_threads = 2";
    "health" health: Setting<Name>, [Main], "an address", r#"health = "127.0.0.1:9000""#;
    "status" status: Setting<Switch>, [Main], "`true` or `false`", "status = true";
    "metrics" metrics: Setting<Switch>, [Main], "`true` or `false`", "metrics = true";
    "stall" stall: Setting<Positive>, [Main], "a duration", r#"stall = "30s""#;
    "blocked" blocked: Setting<Positive>, [Main], "a duration", r#"blocked = "1s""#;
    "upgrade_timeout" upgrade_timeout: Setting<Positive>, [Main], "a duration", r#"upgrade_timeout = "60s""#;
    "services" services: Functions, [Main], "a list of services", "services(http, writer)";
    "link" link: Crates, [Main], "a list of crates", "link(my_lib)";
    "name" name: Setting<Name>, [Service], "a name", r#"name = "http""#;
    "restart" restart: Setting<Restart>, [Service], r#""on-failure", "always" or "never""#, r#"restart = "always""#;
    "backoff" backoff: Setting<Backoff>, [Service], "two durations", r#"backoff = "100ms..10s""#;
    "limit" limit: Setting<Limit>, [Service], "a number of failures in a duration", r#"limit = "5 in 30s""#;
    "start_timeout" start_timeout: Setting<Positive>, [Service], "a duration", r#"start_timeout = "30s""#;
    "start" start: Setting<Start>, [Service], r#""fail" or "retry""#, r#"start = "retry""#;
    "ready" ready: Setting<Ready>, [Service], r#""notify" or "started""#, r#"ready = "notify""#;
    "clock" clock: Setting<Clock>, [Test], r#""paused" or "real""#, r#"clock = "real""#;
    "stop" stop: Everywhere, [Test], r#""everywhere""#, r#"stop = "everywhere""#;
    "abandon" abandon: Everywhere, [Test], r#""everywhere""#, r#"abandon = "everywhere""#;
    "limit" runs: Setting<Count>, [Test], "a number", "limit = 500";
    "after" after: Needs, [Service], "a list of services", "after(writer)";
    "bound_to" bound_to: Needs, [Service], "a list of services", "bound_to(database)";
    "manual" manual: Flag, [Service], "no value", "manual";
    "optional" optional: Flag, [Service], "no value", "optional";
    "cancel" cancel: Flag, [Service], "no value", "cancel";
    "cancel" cancel_after: Setting<Positive>, [Session], "a duration", r#"cancel = "1s""#;
    "label" label: Label, [Session BlockingSession], "a value that can be shown", r#"label = format!("customer {id}")"#;
    "blocking" blocking: Flag, [Service], "no value", "blocking";
    "own_runtime" own_runtime: Flag, [Service], "no value", "own_runtime";
    "allow" allow: Allowances, [Service], "`raw_spawn` or `blocking_call`", "allow(raw_spawn)";
    "crate" krate: Path, [Main Service Test], "a path without quotes", "crate = ::canstop";
}

impl Options {
    /// Reads an attribute's arguments. An option that cannot be read is reported, and then treated as absent.
    pub(crate) fn read(arguments: TokenStream, place: Location, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let example = match place {
            Location::Main | Location::Test | Location::Session | Location::BlockingSession => r#"grace = "5s""#,
            Location::Service => r#"name = "http""#,
        };
        for piece in tokens::split(arguments) {
            match Entry::read(&piece, example) {
                Ok(entry) => options.set(&entry, place, errors),
                Err(error) => errors.push(error),
            }
        }
        options
    }

    /// Takes one option in.
    pub(crate) fn set(&mut self, entry: &Entry, place: Location, errors: &mut Errors) {
        let name = entry.name();
        let mut rows = TABLE.iter().filter(|(row, _)| row.name == name).peekable();
        if rows.peek().is_none() {
            errors.at(&entry.key, unknown(&name, place));
            return;
        }
        let Some((row, _)) = rows.find(|(_, places)| places.contains(&place)) else {
            errors.at(&entry.key, misplaced(&name, place));
            return;
        };
        if self.seen.contains(&name) {
            errors.at(&entry.key, format!("`{name}` is given twice; keep one of them"));
            return;
        }
        if let Err(error) = self.fill(entry, row) {
            errors.push(error);
        }
        self.seen.push(name);
    }

    /// Whether a failure is never answered by a restart.
    pub(crate) fn restarts_never(&self) -> bool {
        let restart = self.restart.as_ref();
        restart.is_some_and(|given| given.value.written() == Some(&Restart::Never))
    }

    /// Whether that macro takes an option of that name.
    pub(crate) fn knows(name: &str, place: Location) -> bool {
        names(place).any(|known| known == name)
    }
}

/// Every option's name.
#[cfg(test)]
pub(crate) fn all_names() -> Vec<&'static str> {
    TABLE.iter().map(|(row, _)| row.name).collect()
}

fn names(place: Location) -> impl Iterator<Item = &'static str> {
    let rows = TABLE.iter().filter(move |(_, places)| places.contains(&place));
    rows.map(|(row, _)| row.name)
}

fn unknown(name: &str, place: Location) -> String {
    if let Some(meant) = nearest(name, names(place)) {
        return format!("unknown option `{name}`; did you mean `{meant}`?");
    }
    let known: Vec<String> = names(place).map(|name| format!("`{name}`")).collect();
    let (known, spelled) = (known.join(", "), place.spelled());
    match place {
        Location::Main | Location::Service | Location::Test => {
            format!("unknown option `{name}`; `{spelled}` takes {known}")
        }
        Location::Session | Location::BlockingSession => format!(
            "unknown option `{name}`; `{spelled}` takes {known}, and a field goes after the work, \
             as in `{spelled}(work, {name} = ..)`"
        ),
    }
}

fn misplaced(name: &str, place: Location) -> String {
    let rows = TABLE.iter().filter(|(row, _)| row.name == name);
    let homes: Vec<String> = rows.flat_map(|(_, places)| *places).map(|home| format!("`{}`", home.spelled())).collect();
    let (homes, spelled) = (one_of(&homes), place.spelled());
    format!("`{name}` is an option of {homes}, not of `{spelled}`")
}
