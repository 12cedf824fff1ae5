//! Three levels of services. The first one is ready, the second one never becomes ready, so the third one must
//! never run.

use std::future::pending;

use canstop::Lifecycle;

#[canstop::main(grace = "1s")]
async fn main() {}

#[canstop::service]
async fn db(lifecycle: Lifecycle) {
    println!("db runs");
    lifecycle.ready();
    lifecycle.stopping().await;
    println!("db has stopped");
}

#[canstop::service(after(db), ready = "notify", start_timeout = "300ms")]
async fn cache(lifecycle: Lifecycle) {
    println!("the cache runs");
    tokio::select! {
        () = lifecycle.stopping() => println!("the cache has stopped"),
        () = pending() => {}
    }
}

#[canstop::service(after(cache))]
async fn http(_lifecycle: Lifecycle) {
    println!("http runs");
}
