//! The tracker and the job queue as they are deployed: real processes, real databases, real signals.
//!
//! Those tests that need PostgreSQL start a server of their own, and end it. Where it is not installed
//! they say so and pass; with `CANSTOP_POSTGRES=required` in the environment they fail instead.

#![cfg(unix)]

mod support;

mod bad_input;
mod faults;
mod jobs;
mod restarts;
mod tracker;
