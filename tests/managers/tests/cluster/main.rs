//! Rolling updates of the tracker in clusters, under a load that never retries.
//!
//! The nodes are on this machine, each in a network namespace of its own. It needs root, and runs with
//! `CANSTOP_MANAGERS=all` only.
#![cfg(target_os = "linux")]

mod clients;
mod image;
mod kubernetes;
mod shell;
mod swarm;
