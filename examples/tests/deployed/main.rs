//! The tracker and the job queue as they are deployed: real processes, real databases, real signals.
//!
//! Tests that need PostgreSQL start a server of their own. Where PostgreSQL is not installed, they print that
//! they are skipped and pass; with `CANSTOP_POSTGRES=required` in the environment they fail instead.

#![cfg(unix)]

mod support;

mod bad_input;
mod faults;
mod jobs;
mod restarts;
mod tracker;
