//! Answering probes: a small HTTP server on the control plane.
//!
//! It answers while every worker of the data plane is blocked, until the process is gone, and whatever it
//! is sent. No user code runs in it, and it decides nothing: it asks the control plane, which asks the
//! machine.

mod http;
mod server;

pub(crate) use http::{Format, Page};
pub(crate) use server::{Question, Server};
