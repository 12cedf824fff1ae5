//! A wait for a future or the stop, whichever is first.

use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

use canstop::{Lifecycle, spawn_session};
use tokio_util::sync::CancellationToken;

/// Ways to wait that notice the stop, and their floors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Race {
    /// No race: the floor of the ways in a task.
    BareInTask,
    /// Against a token's `cancelled()`.
    Select,
    /// The same with the token's own method.
    RunUntilCancelled,
    /// No race: the floor of the ways in a session.
    BareInSession,
    /// canstop's way.
    UntilStopping,
}

impl Race {
    /// Each floor is before the ways that are compared with it.
    pub const ALL: [Self; 5] =
        [Self::BareInTask, Self::Select, Self::RunUntilCancelled, Self::BareInSession, Self::UntilStopping];

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::BareInTask => "a wait in a task",
            Self::Select => "`select!` with a token",
            Self::RunUntilCancelled => "`token.run_until_cancelled`",
            Self::BareInSession => "a wait in a session",
            Self::UntilStopping => "`lifecycle.run_until_stopping`",
        }
    }

    /// Returns true if others are compared with it.
    pub fn is_floor(self) -> bool {
        matches!(self, Self::BareInTask | Self::BareInSession)
    }

    /// Races this many times in one task, one after the other. Each wait takes this many turns of the task.
    pub async fn run(self, times: usize, turns: u32) {
        let task = match self {
            Self::BareInTask => tokio::spawn(async move {
                for _ in 0..times {
                    wait(turns).await;
                }
            }),
            Self::Select => tokio::spawn(async move {
                let token = black_box(CancellationToken::new());
                for _ in 0..times {
                    tokio::select! {
                        () = wait(turns) => {}
                        () = token.cancelled() => {}
                    }
                }
            }),
            Self::RunUntilCancelled => tokio::spawn(async move {
                let token = black_box(CancellationToken::new());
                for _ in 0..times {
                    token.run_until_cancelled(wait(turns)).await;
                }
            }),
            Self::BareInSession => spawn_session!(async move {
                for _ in 0..times {
                    wait(turns).await;
                }
            }),
            Self::UntilStopping => spawn_session!(async move {
                let lifecycle = Lifecycle::current();
                for _ in 0..times {
                    lifecycle.run_until_stopping(wait(turns)).await;
                }
            }),
        };
        task.await.expect("a race does not panic");
    }
}

fn wait(mut turns: u32) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        if turns == 0 {
            return Poll::Ready(());
        }
        turns -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
