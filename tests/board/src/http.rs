//! The board over HTTP.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use canstop::{Lifecycle, spawn_blocking_session};

use crate::archive::archive;
use crate::board::{Board, Refusal};

type Answer = (StatusCode, String);

/// Serves `/notes`, `/notes/{id}`, `/import` and `/slow`.
///
/// # Errors
///
/// If it cannot listen.
#[canstop::service(after(archive))]
pub async fn http(lifecycle: Lifecycle, board: Arc<Board>) -> io::Result<()> {
    let listener = canstop::listen("http", "127.0.0.1:0").await?;
    board.http.get_or_init(|| listener.local_addr().expect("it is bound to an address of TCP"));
    let app = Router::new()
        .route("/notes", post(create).get(list))
        .route("/notes/{id}", get(read).delete(remove))
        .route("/import", post(import))
        .route("/slow", get(slow))
        .with_state(board);
    lifecycle.ready();
    canstop::axum::serve(listener, app).await
}

fn answer(posted: Result<usize, Refusal>) -> Answer {
    match posted {
        Ok(id) => (StatusCode::CREATED, id.to_string()),
        Err(refusal @ (Refusal::Empty | Refusal::TooLong)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{refusal:?}"))
        }
        Err(Refusal::Closed) => (StatusCode::SERVICE_UNAVAILABLE, "closed".to_owned()),
    }
}

async fn create(State(board): State<Arc<Board>>, text: String) -> Answer {
    answer(board.post(&text))
}

async fn list(State(board): State<Arc<Board>>) -> String {
    board.list().join("\n")
}

async fn read(State(board): State<Arc<Board>>, Path(id): Path<usize>) -> Result<String, StatusCode> {
    board.read(id).ok_or(StatusCode::NOT_FOUND)
}

async fn remove(State(board): State<Arc<Board>>, Path(id): Path<usize>) -> StatusCode {
    if board.remove(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// A note for each line, or none at all. The lines are checked on the blocking pool.
async fn import(State(board): State<Arc<Board>>, text: String) -> Answer {
    let posted = spawn_blocking_session!("import", move || {
        let lines: Vec<_> = text.lines().collect();
        if lines.iter().any(|line| line.trim().is_empty()) {
            return Err(Refusal::Empty);
        }
        lines.iter().try_fold(0, |count, line| board.post(line).map(|_| count + 1))
    });
    answer(posted.await.unwrap_or(Err(Refusal::Closed)))
}

/// Is answered only when the program stops.
async fn slow() -> &'static str {
    Lifecycle::current().stopping().await;
    "slow"
}
