//! Work on threads of the application's own.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use canstop::{Lifecycle, spawn_session};

use crate::board::Board;

/// Computes a digest of all notes on a new thread, which is no thread of the runtime, and posts it by a session.
pub fn digest(lifecycle: Lifecycle, board: Arc<Board>) -> JoinHandle<()> {
    thread::spawn(move || {
        let sum = board.list().iter().flat_map(|note| note.bytes()).map(u64::from).sum::<u64>();
        spawn_session!("digest", in lifecycle, async move {
            tokio::task::yield_now().await;
            board.post(&format!("digest {sum}"))
        });
    })
}
