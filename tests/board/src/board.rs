//! The notes.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// A longer note is refused.
pub const LONGEST: usize = 80;

/// Why a note is not posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no text.
    Empty,
    /// It is longer than [`LONGEST`].
    TooLong,
    /// The archive takes no more notes.
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the note is empty",
            Self::TooLong => "the note is too long",
            Self::Closed => "the archive is closed",
        })
    }
}

impl Error for Refusal {}

/// What all services share.
#[derive(Debug)]
pub struct Board {
    notes: Mutex<Vec<Option<String>>>,
    archive: Mutex<Option<Sender<String>>>,
    /// Where HTTP is served, once it is.
    pub http: OnceLock<SocketAddr>,
    /// Where the line protocol is served, once it is.
    pub lines: OnceLock<SocketAddr>,
}

impl Board {
    /// An empty board, and what the archive receives of it.
    #[must_use]
    pub fn new() -> (Arc<Self>, Receiver<String>) {
        let (archive, records) = mpsc::channel();
        let board = Self {
            notes: Mutex::default(),
            archive: Mutex::new(Some(archive)),
            http: OnceLock::new(),
            lines: OnceLock::new(),
        };
        (Arc::new(board), records)
    }

    /// Posts a note, and returns its number. It is archived as soon as the archive comes to it.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub fn post(&self, text: &str) -> Result<usize, Refusal> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Refusal::Empty);
        }
        if text.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        let mut notes = self.notes();
        let archive = self.archive.lock().expect("nothing panics while it holds the sender");
        archive.as_ref().and_then(|archive| archive.send(text.to_owned()).ok()).ok_or(Refusal::Closed)?;
        notes.push(Some(text.to_owned()));
        Ok(notes.len() - 1)
    }

    /// A note by its number.
    #[must_use]
    pub fn read(&self, id: usize) -> Option<String> {
        self.notes().get(id).cloned().flatten()
    }

    /// Removes a note. Returns false if there is none.
    pub fn remove(&self, id: usize) -> bool {
        self.notes().get_mut(id).and_then(Option::take).is_some()
    }

    /// All notes, in the order in which they were posted.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.notes().iter().flatten().cloned().collect()
    }

    /// Ends the archive once it has received what was posted.
    pub fn close_archive(&self) {
        *self.archive.lock().expect("nothing panics while it holds the sender") = None;
    }

    fn notes(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.notes.lock().expect("nothing panics while it holds the notes")
    }
}
