//! The application's tests. Its clients block on sockets and its archive on a channel, so they need the real clock.
#![cfg(unix)]

mod app;
mod http;
mod lines;
mod stop;
mod threads;
