//! Work that a stop does not know of, in ways that the words of a service's body do not tell.
//!
//! `tests/clippy.rs` runs clippy on it with the `clippy.toml` that comes with canstop, and expects a
//! warning on each line that ends with `// warned of`.

use std::thread;
use std::time::Duration;

use canstop::Lifecycle;
use tokio::runtime::Handle;
use tokio::spawn as start;
use tokio::task::JoinSet;

/// Each of these loses work, and none of them shows.
#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    let mut requests = JoinSet::new();
    while lifecycle.run_until_stopping(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        audit();
        start(async { println!("by another name") }); // warned of
        requests.spawn(async { println!("in a set") }); // warned of
        Handle::current().spawn(async { println!("by a handle") }); // warned of
        canstop::spawn_session!(async { println!("this one is waited for") });
    }
}

/// A helper, which the attribute does not see.
fn audit() {
    tokio::spawn(async { println!("in a helper") }); // warned of
    tokio::task::spawn_blocking(|| println!("on the pool")); // warned of
    thread::Builder::new().spawn(|| println!("on a thread")).expect("a thread"); // warned of
    thread::sleep(Duration::from_millis(1)); // warned of
    #[allow(clippy::disallowed_methods, reason = "it is shown how to say that it is meant")]
    let _meant = tokio::spawn(async { println!("on purpose") });
}

#[canstop::main]
async fn main() {
    if std::env::args().len() > 7 {
        std::process::exit(2); // warned of
    }
}
