//! Errors in arguments and variables are reported, with what to do about them.

use std::net::TcpListener;

use canstop_examples::program::{Program, Signal};

use crate::support::TestDatabase;

#[test]
fn unusable_arguments_are_reported() {
    let to_help = "For more information, try '--help'";
    for (program, arguments, fault, mend) in [
        ("tracker", &["--queue", "0"][..], "'--queue <EVENTS>': 0 is not in 1..=1000000", to_help),
        ("tracker", &["--queue", "18446744073709551616"], "'--queue <EVENTS>'", to_help),
        ("tracker", &["--port", "80"], "'--port'", to_help),
        ("jobs", &[], "Usage: jobs", "enqueue"),
        ("jobs", &["runs"], "'runs'", "'run'"),
        ("jobs", &["enqueue"], "<COUNT>", to_help),
        ("jobs", &["enqueue", "many"], "'many' for '<COUNT>'", to_help),
        ("jobs", &["enqueue", "0"], "'0' for '<COUNT>'", to_help),
        ("jobs", &["run", "--workers", "0"], "'--workers <WORKERS>': 0 is not in 1..=1000", to_help),
        ("jobs", &["run", "--lease", "5"], "'--lease <TIME>'", "write a whole number and `ms`, `s` or `m`"),
        ("jobs", &["run", "--check-time", "0s"], "'--check-time <TIME>'", "from 1 ms to a day"),
    ] {
        let ended = Program::new(program).args(arguments).start().wait();
        assert!(ended.stderr.contains(fault), "{program} {arguments:?}: {ended}");
        assert!(ended.stderr.contains(mend), "{program} {arguments:?}: {ended}");
        assert_eq!(ended.code, Some(2), "{program} {arguments:?}: {ended}");
    }
}

#[test]
fn an_unusable_database_is_reported_without_its_password() {
    let write = "write sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/NAME";
    for (url, fault, mend) in [
        ("mysql://me:secret@localhost/shop", "\"mysql\" is no database known here", write),
        ("tracker.db", "no scheme", write),
        ("sqlite:", "has no file name", write),
        ("postgres://me:secret@localhost:port/shop", "invalid port number", write),
        ("postgres://me:secret@127.0.0.1:1/shop", "postgres://127.0.0.1:1/shop of DATABASE_URL", "Connection refused"),
        ("sqlite:/no/such/folder/test.db", "/no/such/folder/test.db of DATABASE_URL", "unable to open"),
    ] {
        for (program, arguments) in [("tracker", &[][..]), ("jobs", &["stats"])] {
            let ended = Program::new(program).args(arguments).env("DATABASE_URL", url).start().wait();
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(said.contains(fault) && said.contains(mend), "{program} {url}: {ended}");
            assert!(said.contains("DATABASE_URL"), "{program} {url}: {ended}");
            assert!(!said.contains("secret"), "{program} {url}: {ended}");
            assert_eq!(ended.code, Some(1), "{program} {url}: {ended}");
        }
    }
}

#[test]
fn a_database_that_never_answers_is_reported() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    let address = silent.local_addr().expect("it has an address");
    let url = format!("postgres://me:secret@{address}/shop");
    let programs = [("tracker", &[][..]), ("jobs", &["stats"])];
    let running =
        programs.map(|(program, arguments)| Program::new(program).args(arguments).env("DATABASE_URL", &url).start());
    for program in running {
        let ended = program.wait();
        let said = format!("postgres://{address}/shop of DATABASE_URL: no answer within 5s");
        assert!(ended.has_written(&said), "{ended}");
        assert_eq!(ended.code, Some(1), "{ended}");
    }
}

#[test]
fn an_address_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let place = TestDatabase::sqlite();
    let mut program = Program::new("tracker").env("LISTEN", &address).env("DATABASE_URL", &place.url).start();
    let line = program.wait_for(&format!("cannot listen on {address}"));
    assert!(line.contains("Address already in use"), "{line}");
    program.signal(Signal::Terminate);
    program.wait();
}
