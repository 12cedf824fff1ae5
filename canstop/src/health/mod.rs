//! Answering probes: a small HTTP server on the control plane.
//!
//! It answers while every worker of the data plane is blocked, until the process has ended, and whatever clients
//! send. It runs no user code and decides nothing: it asks the control plane, which asks the machine.

mod http;
mod server;

pub(crate) use http::{Format, Page};
#[cfg(all(unix, feature = "handover"))]
pub(crate) use server::stop_accepting;
pub(crate) use server::{Question, Server};
