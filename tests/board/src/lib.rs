//! A notice board: notes that are posted over HTTP or a line protocol, and archived by a thread that blocks.

pub mod archive;
pub mod board;
pub mod digest;
pub mod http;
pub mod lines;
