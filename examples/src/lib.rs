//! Code that the larger programs in `examples` share, and that their tests and benchmarks use to run
//! them. Its doctests also check that the code in the documents compiles.

mod client;
mod database;
mod duration;
mod paced;
mod scratch;
pub mod program;

pub use client::{Answer, Client};
pub use database::{Database, InvalidDatabase};
pub use duration::parse_duration;
pub use paced::paced;
pub use scratch::ScratchFolder;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/without-macros.md")]
struct WithoutMacros;

#[cfg(doctest)]
#[doc = include_str!("../../docs/stop.md")]
struct HowAStopGoes;

/// The pages of the guide, whose code is tested here, where axum, a database and a log are at hand.
#[cfg(doctest)]
mod guide {
    macro_rules! pages {
        ($($name:ident: $file:literal;)*) => { $(
            #[doc = include_str!(concat!("../../canstop/docs/guide/", $file))]
            struct $name;
        )* };
    }

    pages! {
        GettingStarted: "getting-started.md";
        Database: "database.md";
        Jobs: "jobs.md";
        Configuration: "configuration.md";
        Websockets: "websockets.md";
        Grpc: "grpc.md";
        Testing: "testing.md";
        Platforms: "platforms.md";
        Observing: "observing.md";
        Order: "order.md";
        Troubleshooting: "troubleshooting.md";
        Migration: "migration.md";
        MigrationWeb: "migration-web.md";
        MigrationSupervisors: "migration-supervisors.md";
    }
}
