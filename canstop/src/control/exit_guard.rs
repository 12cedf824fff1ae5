//! The last resort: a thread that holds the process to its deadline, whatever the others do.
//!
//! It is started before anything else and shared by all that the process runs, one after the other. It
//! waits for signals, which it passes on to the control plane, and for the end of the grace. If the process
//! is still there a quarter of a second after it, this thread ends it: when the control thread or the
//! report thread is stuck, and when a destructor, an `atexit` handler or code after `App::run` is. It takes
//! no lock but its own, runs nothing of the user's and needs no other thread.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::later;
use super::exit::{end_at_once, write_to_stderr};
use super::exit_watch::{End, ExitWatch};
use super::frozen::frozen_span;
use super::signals::{Delivery, Waiter};
use crate::machine::{Allowance, Exit, Report};

static GUARD: ExitGuard = ExitGuard { watch: Mutex::new(ExitWatch::new()), waiter: Mutex::new(Start::Never) };

/// The guard of this process's exit.
#[derive(Debug)]
pub(super) struct ExitGuard {
    watch: Mutex<ExitWatch>,
    waiter: Mutex<Start>,
}

#[derive(Debug)]
enum Start {
    Never,
    /// Its thread could not be started yet.
    Prepared(Waiter),
    Running,
}

impl ExitGuard {
    /// Guards a program that begins now: its signals go to `listener`. Starts the thread if this is the
    /// process's first program. When it returns, signals no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// If the system refuses a descriptor, a handler or a thread.
    pub(super) fn begin(allowance: Allowance, listener: mpsc::UnboundedSender<Delivery>) -> io::Result<&'static Self> {
        let mut start = GUARD.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*start, Start::Never) {
            *start = Start::Prepared(Waiter::new()?);
        }
        if !Waiter::is_at_home() {
            return Err(io::Error::other(
                "this process was forked from one that canstop had begun to supervise; fork before `App::run`",
            ));
        }
        *GUARD.watch() = ExitWatch::of(allowance, listener);
        if let Err(error) = Waiter::listen() {
            GUARD.end_program();
            return Err(error);
        }
        // After the handlers: the thread inherits a mask that lets the signals through.
        if let Start::Prepared(_) = *start {
            let (hand_over, handed_over) = std::sync::mpsc::channel();
            let started = thread::Builder::new().name("canstop-exit".to_owned()).spawn(move || {
                if let Ok(waiter) = handed_over.recv() {
                    GUARD.stand(&waiter)
                }
            });
            if let Err(error) = started {
                GUARD.end_program();
                return Err(error);
            }
            if let Start::Prepared(waiter) = std::mem::replace(&mut *start, Start::Running) {
                let _ = hand_over.send(waiter);
            }
        }
        Ok(&GUARD)
    }

    /// A stop was requested at `requested`: the process is gone at the end of the grace. A signal has armed
    /// it already, when it was delivered.
    pub(super) fn arm(&self, requested: Instant) {
        self.watch().arm(requested);
        Waiter::nudge();
    }

    /// The grace is another one, for a stop that is not requested yet.
    pub(super) fn set_grace(&self, grace: Duration) {
        self.watch().allowance.grace = grace;
    }

    /// The process ends with this code, or with a graver one.
    pub(super) fn note(&self, exit: Exit) {
        self.watch().exit = exit;
    }

    /// The control plane has read a signal.
    pub(super) fn signal_read(&self) {
        self.watch().unanswered = None;
    }

    /// The process is gone after `limit`, with this code.
    pub(super) fn end_within(&self, limit: Duration, exit: Exit) {
        {
            let mut watch = self.watch();
            watch.exit = exit;
            let deadline = later(Instant::now(), limit);
            watch.deadline = Some(watch.deadline.map_or(deadline, |before| before.min(deadline)));
        }
        Waiter::nudge();
    }

    /// The report is complete. If the process must end before it is written, the guard writes it.
    pub(super) fn keep_report(&self, report: Report) {
        self.watch().report = Some(report);
    }

    /// The last line was emitted: from here on only the guard handles signals, and a signal ends the process.
    pub(super) fn end_program(&self) {
        let mut watch = self.watch();
        watch.listener = None;
        watch.report = None;
    }

    fn watch(&self) -> MutexGuard<'_, ExitWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand(&self, waiter: &Waiter) -> ! {
        loop {
            let began = Instant::now();
            let limit = self.watch().wakes_after(began);
            waiter.wait(limit);
            let now = Instant::now();
            let frozen = limit.and_then(|limit| frozen_span(later(began, limit), now));
            let end = self.watch().look(now, frozen, Waiter::take());
            if let Some(End { exit, why }) = end {
                let text = match self.watch().report.take() {
                    Some(report) => format!("{why}\n{}", Report { exit, ..report }),
                    None => format!("{why}, exit code {}", exit.code()),
                };
                for line in text.lines() {
                    write_to_stderr(format!("canstop: {line}\n").as_bytes());
                }
                end_at_once(exit);
            }
        }
    }
}
