//! A web service that takes orders, and loses none of them when it is stopped.

mod database;
mod http;
mod log;
mod settings;
#[cfg(all(test, unix))]
mod tests;

use crate::settings::Settings;

// The platform sets the grace and the drain delay. `grace = ".."` here, or `CANSTOP_GRACE`, sets another.
#[canstop::main(health = "127.0.0.1:9000")]
async fn main() -> anyhow::Result<()> {
    log::start();
    let Settings { listen, database } = Settings::from_environment()?;
    let pool = database::open(database).await?;
    canstop::start(database::database(pool.clone()));
    canstop::start(http::http(listen, pool));
    Ok(())
}
