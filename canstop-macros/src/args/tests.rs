//! The option reader, through the table.

use std::collections::BTreeSet;

use super::{Location, Options, Ready, Restart, Row, TABLE, all_names, names};
use crate::diag::Errors;
use crate::testing::{faults, mutations, tokens};

fn read(arguments: &str, place: Location) -> (Options, Vec<String>) {
    let mut errors = Errors::new();
    let options = Options::read(tokens(arguments), place, &mut errors);
    (options, errors.finish().map(|found| faults(&found)).unwrap_or_default())
}

#[track_caller]
fn refuses(arguments: &str, place: Location, part: &str) {
    let (_, faults) = read(arguments, place);
    assert!(matches!(&faults[..], [only] if only.contains(part)), "{arguments}: {faults:#?}");
}

#[test]
fn every_row_shows_a_form_that_can_be_read() {
    for (row, places) in TABLE {
        for place in *places {
            let (options, faults) = read(row.form, *place);
            assert!(faults.is_empty(), "{}: {faults:?}", row.form);
            assert!(options.seen == [row.name], "{} is not `{}`", row.form, row.name);
        }
    }
}

#[test]
fn the_options_of_the_design_are_read() {
    let main = r#"grace = "5s", drain_delay = "0s", flavor = "current_thread", services(a, b::c), link(lib_crate),
        health = "127.0.0.1:9000", status = true, metrics = OFF, stall = "30s", blocked = "1s", upgrade_timeout = "9s",
        crate = ::my::canstop,"#;
    assert_eq!(read(main, Location::Main).1, Vec::<String>::new());
    let service = r#"name = "web", restart = "on-failure", backoff = "100ms..10s", limit = "5 in 30s", grace = "2s",
        start_timeout = "30s", ready = "started", after(db, a::b::<u8, u8>, "cache"), manual, optional, cancel, blocking,
        allow(raw_spawn, blocking_call), crate = canstop"#;
    let (options, faults) = read(service, Location::Service);
    assert_eq!(faults, Vec::<String>::new());
    assert!(options.restart.is_some_and(|given| given.value.written() == Some(&Restart::OnFailure)));
    assert!(options.ready.is_some_and(|given| given.value.written() == Some(&Ready::Started)));
    assert_eq!(options.after.map(|given| given.value.0.len()), Some(3));
    let limit = options.limit.expect("a limit").value;
    let limit = limit.written().expect("written");
    assert_eq!((limit.failures, limit.window.as_secs()), (5, 30));
    let backoff = options.backoff.expect("a backoff").value;
    let backoff = backoff.written().expect("written");
    assert_eq!((backoff.min.as_millis(), backoff.max.as_millis()), (100, 10_000));
}

#[test]
fn an_unknown_option_gets_the_nearest_name_or_the_whole_list() {
    refuses(r#"graec = "5s""#, Location::Service, "unknown option `graec`; did you mean `grace`?");
    refuses(r#"colour = "red""#, Location::Main, "takes `grace`, `drain_delay`, `flavor`");
    refuses("tied_to(x)", Location::Service, "unknown option `tied_to`");
    refuses("id = 7", Location::Session, "`spawn_session!(work, id = ..)`");
}

#[test]
fn an_option_of_another_macro_is_told_its_home() {
    refuses(r#"flavor = "x""#, Location::Service, "is an option of `#[canstop::main]`, not of `#[canstop::service]`");
    refuses("manual", Location::Session, "is an option of `#[canstop::service]`, not of `spawn_session!`");
}

#[test]
fn each_ill_typed_value_gets_its_mend() {
    let service = [
        ("grace", "`grace` needs a value, a duration: write `grace = \"5s\"`"),
        ("grace =", "`grace` needs a value"),
        ("grace = five", "write `grace = \"5s\"`"),
        ("grace = -1", "write `grace = \"5s\"`"),
        ("start = retry", "in quotes: write `start = \"retry\"`"),
        ("start = \"never\"", "takes \"fail\" or \"retry\", not \"never\""),
        ("grace = 5", "in quotes: write `grace = \"5s\"`"),
        ("grace = 250ms", "in quotes: write `grace = \"250ms\"`"),
        ("grace(\"5s\")", "write `grace = \"5s\"`"),
        ("grace[\"5s\"]", "expected `=`, `(..)` or `,` after `grace`"),
        ("grace = true", "write `grace = \"5s\"`"),
        ("grace = _", "write `grace = \"5s\"`"),
        ("grace = || FIVE", "write `grace = \"5s\"`"),
        ("grace = async { FIVE }", "write `grace = \"5s\"`"),
        ("grace = FIVE = SIX", "write `grace = \"5s\"`"),
        ("grace = \"0s\"", "that is no time at all"),
        ("grace = \"5\"", "write \"5s\""),
        ("grace = \"5s\" manual", "expected a comma before this"),
        ("grace \"5s\"", "after `grace`"),
        ("grace == \"5s\"", "after `grace`"),
        ("manual = true", "`manual` takes no value: write `manual`"),
        ("name = \" \"", "the name is empty"),
        ("name = http", "write `name = \"http\"`"),
        ("restart = \"allways\"", "\"always\" or \"never\", not \"allways\"; did you mean \"always\"?"),
        ("restart = \"on_failure\"", "did you mean \"on-failure\"?"),
        ("restart = never", "in quotes: write `restart = \"never\"`"),
        ("restart = \"x\"", "takes \"on-failure\", \"always\" or \"never\", not \"x\""),
        ("backoff = \"5s\"", "there is no `..` in it"),
        ("backoff = \"1s..=5s\"", "the upper bound is always included"),
        ("backoff = \"10s..1s\"", "write `backoff = \"1s..10s\"`"),
        ("backoff = \"0s..1s\"", "a wait that begins at zero never grows"),
        ("backoff = \"1..5s\"", "write \"1s\""),
        ("limit = \"0 in 30s\"", "write `restart = \"never\"` instead"),
        ("limit = \"5 per 30s\"", "write for example `limit = \"5 in 30s\"`"),
        ("limit = \"x in 30s\"", "\"x\" is not a number of failures"),
        ("limit = \"5 in 0s\"", "that is no time at all"),
        ("limit = \"5 in 30\"", "write \"30s\""),
        ("after", "write `after(writer)`"),
        ("after = writer", "write `after(writer)`"),
        ("after()", "names nothing"),
        ("after(a, a)", "names `a` twice"),
        ("after(a())", "without calling it"),
        ("after(\"\")", "a name is empty"),
        ("after(\"a\", \"a\")", "twice"),
        ("after(a,, b)", "expected a name before this comma"),
        ("allow(raw_spwan)", "did you mean `raw_spawn`?"),
        ("allow()", "names nothing"),
        ("crate = \"canstop\"", "write `crate = ::canstop`"),
        ("crate = a::<b>", "a path without quotes"),
        ("\"http\"", "expected an option here"),
        (",", "expected an option before this comma"),
        ("manual, manual", "`manual` is given twice"),
        ("grace = 5, grace = \"5s\"", ""),
    ];
    for (arguments, part) in service {
        if part.is_empty() {
            assert_eq!(read(arguments, Location::Service).1.len(), 2, "an unreadable first does not excuse a second");
        } else {
            refuses(arguments, Location::Service, part);
        }
    }
    for (arguments, part) in [
        ("worker_threads = 0", "must be at least 1"),
        ("worker_threads = \"4\"", "write `worker_threads = 4`"),
        ("worker_threads = -1", "write `worker_threads = 2`"),
        ("worker_threads = 1.5", "write `worker_threads = 2`"),
        ("worker_threads = 4 services(a)", "expected a comma before this"),
        ("flavor = \"multi-thread\"", "did you mean \"multi_thread\"?"),
        ("services(a, a)", "names `a` twice"),
        ("services(\"a\")", "without quotes"),
        ("link(my-lib)", "write `link(my_lib)`"),
        ("link(\"other-lib\")", "write `link(my_lib)`"),
        ("status = maybe", "write `status = "),
        ("link(a::b)", "write `link(my_lib)`"),
        ("link()", "names nothing"),
    ] {
        refuses(arguments, Location::Main, part);
    }
}

#[test]
fn a_value_at_the_edge_is_read_as_what_it_says() {
    assert_eq!(read("backoff = \"1s..1s\"", Location::Service).1, Vec::<String>::new());
    let allowances = |arguments| read(arguments, Location::Service).0.allow.expect("given").value;
    let only_spawns = allowances("allow(raw_spawn)");
    assert!(only_spawns.raw_spawn && !only_spawns.blocking_call);
    let only_calls = allowances("allow(blocking_call)");
    assert!(!only_calls.raw_spawn && only_calls.blocking_call);
}

#[test]
fn a_macro_knows_its_own_options_only() {
    assert!(Options::knows("grace", Location::Main) && Options::knows("label", Location::Session));
    assert!(!Options::knows("flavor", Location::Service) && !Options::knows("colour", Location::Main));
}

#[test]
fn an_option_takes_an_expression_of_its_type() {
    for value in
        ["GRACE", "config().grace", "config::GRACE", "Duration::from_secs(5)", "{ a; b }", "self::a!(b)", "A * 2"]
    {
        for key in ["name", "grace", "start_timeout", "restart", "ready", "start", "backoff", "limit"] {
            let (_, faults) = read(&format!("{key} = {value}, manual"), Location::Service);
            assert_eq!(faults, Vec::<String>::new(), "{key} = {value}");
        }
    }
    let (options, _) = read("worker_threads = threads() + 1, grace = MIN..MAX", Location::Main);
    assert_eq!(options.worker_threads.expect("given").value.expression(|_| tokens("0")).to_string(), "threads () + 1");
}

#[test]
fn all_faults_are_told_together_and_the_rest_is_kept() {
    let (options, faults) = read(r#"graec = "1s", restart = "x", name = "web", limit = "5""#, Location::Service);
    assert_eq!(faults.len(), 3);
    assert_eq!(options.name.as_ref().and_then(|given| given.value.written()).map(|name| &*name.0), Some("web"));
}

#[test]
fn no_arguments_however_odd_make_the_reader_panic() {
    let service =
        r#"name = "web", restart = "always", backoff = "1s..2s", after(a, b::c), crate = ::c, allow(raw_spawn)"#;
    for odd in mutations(&tokens(service)) {
        let mut errors = Errors::new();
        Options::read(odd, Location::Service, &mut errors);
        errors.finish();
    }
}

/// The documented options of one macro: the table in its docs.
fn documented(place: Location) -> Option<&'static str> {
    let docs = match place {
        Location::Main => include_str!("../../docs/main.md"),
        Location::Service => include_str!("../../docs/service.md"),
        Location::Test => include_str!("../../docs/test.md"),
        Location::Session | Location::BlockingSession => return None,
    };
    let table = &docs[docs.find("| Option |")?..];
    Some(&table[..table.find("\n\n").map_or(table.len(), |end| end + 1)])
}

/// The names in a table's first column, each as often as it has rows.
fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter_map(|line| {
        let cell = line.strip_prefix("| `")?;
        cell.split(|next: char| !next.is_alphanumeric() && next != '_').next()
    })
}

#[test]
fn the_docs_of_a_macro_list_its_options_and_no_other() {
    for place in [Location::Main, Location::Service, Location::Test] {
        let table = documented(place).expect("a table");
        for name in names(place) {
            assert!(rows(table).any(|row| row == name), "{place:?} does not document `{name}`");
        }
        for row in rows(table) {
            assert!(names(place).any(|name| name == row), "{place:?} documents `{row}`, which it does not take");
        }
    }
}

/// The fuzzer's dictionary: every option, and the tokens of `fuzz/tokens.dict`. With `CANSTOP_WRITE_DICTIONARY`
/// set to a file, this test writes it there.
#[test]
fn the_dictionary_of_the_fuzzer_has_each_entry_once() {
    let options: BTreeSet<_> = all_names().into_iter().map(|name| format!("\"{name}\"")).collect();
    let tokens = include_str!("../../fuzz/tokens.dict");
    let twice: Vec<_> = tokens.lines().filter(|&line| options.contains(line)).collect();
    assert!(twice.is_empty(), "options come from the table: remove {twice:?} from tokens.dict");
    if let Some(path) = std::env::var_os("CANSTOP_WRITE_DICTIONARY") {
        let options = options.iter().map(|entry| format!("{entry}\n")).collect::<String>();
        std::fs::write(path, options + tokens).expect("the dictionary can be written");
    }
}

/// `docs/options.md` links to the tables in the attributes' docs, and has what the table says of sessions. With
/// `CANSTOP_WRITE_DOCS` set, this test writes it.
#[test]
fn the_page_of_all_options_is_up_to_date() {
    const INTRODUCTION: &str = "# Options\n\n\
        A duration is a number and a unit: `\"250ms\"`, `\"1.5s\"`, `\"2m\"`, `\"1h\"`. An option that takes a value also \
        takes an\nexpression of its type, as in `grace = config().grace`.\n\n\
        The options of the attributes, each with its meaning and with what to write without the macro:\n";
    let mut page = INTRODUCTION.to_owned();
    for place in [Location::Main, Location::Service, Location::Test] {
        let spelled = place.spelled();
        let name = spelled.trim_start_matches("#[canstop::").trim_end_matches(']');
        page += &format!("- [`{spelled}`](https://docs.rs/canstop/latest/canstop/attr.{name}.html#options)\n");
    }
    for place in [Location::Session, Location::BlockingSession] {
        page += &format!("\n## `{}`\n\n| Option | Takes |\n|---|---|\n", place.spelled());
        for (Row { takes, form, .. }, _) in TABLE.iter().filter(|(_, places)| places.contains(&place)) {
            page += &format!("| `{form}` | {takes} |\n");
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md");
    if std::env::var_os("CANSTOP_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).expect("docs/options.md is there");
    assert!(written == page, "docs/options.md is out of date: run this test with CANSTOP_WRITE_DOCS=1");
}
