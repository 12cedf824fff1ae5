//! What the guide's pages on migration show of other crates. The test of the guide's pages finds each block here, word
//! for word, so what a page shows compiles.

#![allow(dead_code, clippy::disallowed_methods, reason = "these programs are shown, and not run")]

mod actix;
#[cfg(unix)]
mod axum_graceful;
mod axum_server_handle;
mod graceful;
mod graceful_shutdown;
mod select;
mod task_supervisor_builder;
