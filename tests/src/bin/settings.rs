//! A program that serves until it is stopped. Its arguments set `grace` and `drain_delay` in code, in
//! milliseconds; `-` leaves them unset. A third one is a grace that `main` sets.

use std::process::ExitCode;
use std::time::Duration;

use canstop::{App, Lifecycle, Service};
use canstop_tests::READY;

fn main() -> ExitCode {
    let milliseconds = |argument: usize| {
        let text = std::env::args().nth(argument)?;
        (text != "-").then(|| Duration::from_millis(text.parse().expect("milliseconds")))
    };
    let set_by_main = milliseconds(3);
    let mut app = App::new();
    if let Some(grace) = milliseconds(1) {
        app = app.grace(grace);
    }
    if let Some(drain_delay) = milliseconds(2) {
        app = app.drain_delay(drain_delay);
    }
    app.service(Service::new("serves", |lifecycle: Lifecycle| async move {
        println!("{READY}");
        lifecycle.stopping().await;
        println!("stopping");
    }))
    .run(async move {
        if let Some(grace) = set_by_main {
            canstop::set_grace(grace);
        }
    })
}
