//! The board over a line protocol: `PUT text`, `GET number`, `COUNT` and `QUIT`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use canstop::{Lifecycle, Stream, spawn_session};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::archive::archive;
use crate::board::Board;

/// Serves the protocol, a session for each connection. A client that says nothing for as long as `idle` is
/// disconnected.
///
/// # Errors
///
/// If it cannot listen.
#[canstop::service(after(archive), backoff = "1ms..2ms")]
pub async fn lines(lifecycle: Lifecycle, board: Arc<Board>, idle: Duration) -> io::Result<()> {
    let known = board.lines.get().map_or("127.0.0.1:0".to_owned(), ToString::to_string);
    let listener = canstop::listen("lines", known).await?;
    board.lines.get_or_init(|| listener.local_addr().expect("it is bound to an address of TCP"));
    lifecycle.ready();
    while let Some(accepted) = listener.accept().await {
        let (stream, peer) = accepted?;
        spawn_session!("connection", label = peer, connection(stream, Arc::clone(&board), idle));
    }
    Ok(())
}

/// Answers commands until the client leaves, is idle for too long, or the program stops.
async fn connection(stream: Stream, board: Arc<Board>, idle: Duration) -> io::Result<()> {
    let lifecycle = Lifecycle::current();
    let (from, mut to) = tokio::io::split(stream);
    let mut from = BufReader::new(from).lines();
    loop {
        let line = match lifecycle.run_until_stopping(timeout(idle, from.next_line())).await {
            Some(Ok(line)) => line?,
            Some(Err(_idle)) => return to.write_all(b"IDLE\n").await,
            None => return to.write_all(b"BYE\n").await,
        };
        let Some(line) = line else { return Ok(()) };
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match command {
            "PUT" => board.post(argument).map_or_else(|refusal| format!("ERR {refusal:?}"), |id| format!("OK {id}")),
            "GET" => {
                let note = argument.parse().ok().and_then(|id| board.read(id));
                note.map_or_else(|| "ERR unknown".to_owned(), |note| format!("OK {note}"))
            }
            "COUNT" => format!("OK {}", board.list().len()),
            "QUIT" => return to.write_all(b"BYE\n").await,
            "PANIC" => panic!("asked to"),
            _ => "ERR command".to_owned(),
        };
        to.write_all(format!("{answer}\n").as_bytes()).await?;
    }
}
