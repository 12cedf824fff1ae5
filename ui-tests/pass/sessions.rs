//! Sessions in all their forms; `main` returns an error that is not `Send`.
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::error::Error;

use canstop::{spawn_blocking_session, spawn_session};

struct Shown;

async fn work(_n: u32) -> Result<u32, std::io::Error> {
    Ok(1)
}

#[canstop::main(grace = "1s", flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (peer, id) = ("127.0.0.1:80", 7);
    spawn_session!(work(1));
    spawn_session!("named", work(2));
    spawn_session!(grace = "100ms", work(3),);
    spawn_session!("both", grace = "100ms", async move { work(4).await }, %peer, id = 7, ?id, deep.name = %peer);
    spawn_session!(async { panic!("on purpose") });
    spawn_session!(async { Err::<(), Shown>(Shown) });
    spawn_session!(async { Ok::<(), anyhow::Error>(()) });
    let endless = spawn_session!(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    endless.abort();
    let answer: u32 = spawn_session!(async { 42 }).await?;
    let sum = spawn_blocking_session!(move || answer + id).await?;
    spawn_blocking_session!("named", || Err::<(), _>("said"), sum);
    Ok(())
}
