//! Programs with a log thread that writes until a guard in `main` is dropped, as that of
//! `tracing_appender::non_blocking` does. What is logged later is lost.

use std::io::{self, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use canstop::Lifecycle;
use canstop_tests::{READY, scenario};

/// Hands lines to the thread that writes them.
#[derive(Clone)]
struct Appender(SyncSender<Option<Vec<u8>>>);

/// Dropped, it writes out what was handed over, and ends the log.
struct AppenderGuard {
    lines: SyncSender<Option<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
}

fn non_blocking() -> (Appender, AppenderGuard) {
    let (lines, handed) = mpsc::sync_channel::<Option<Vec<u8>>>(1_024);
    let writer = thread::spawn(move || {
        while let Ok(Some(line)) = handed.recv() {
            io::stdout().write_all(&line).expect("the test reads it");
        }
    });
    (Appender(lines.clone()), AppenderGuard { lines, writer: Some(writer) })
}

impl Write for Appender {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(Some(line.to_owned()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for AppenderGuard {
    fn drop(&mut self) {
        let _ = self.lines.send(None);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Begins to log, until the guard is dropped.
fn log() -> AppenderGuard {
    let (appender, guard) = non_blocking();
    let writer = move || appender.clone();
    tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false).with_writer(writer).init();
    guard
}

#[canstop::service]
async fn web(lifecycle: Lifecycle) {
    tracing::info!("web serves");
    println!("{READY}");
    lifecycle.stopping().await;
    tracing::info!("web is done");
}

mod with_a_result {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() -> anyhow::Result<()> {
        let _guard = super::log();
        Ok(())
    }
}

mod without_a_value {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() {
        let _guard = super::log();
    }
}

mod with_an_early_return {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() -> anyhow::Result<()> {
        let _guard = super::log();
        for attempt in 0..3 {
            if attempt == 1 {
                return Ok(());
            }
        }
        anyhow::bail!("it went on")
    }
}

mod with_a_return_in_a_macro {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() -> anyhow::Result<()> {
        let _guard = super::log();
        tokio::select! {
            () = std::future::ready(()) => return Ok(()),
            () = std::future::pending() => {}
        }
        anyhow::bail!("it went on")
    }
}

mod with_an_error {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() -> anyhow::Result<()> {
        let _guard = super::log();
        Err(anyhow::anyhow!("no configuration"))
    }
}

mod with_a_question_mark {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() -> anyhow::Result<()> {
        let _guard = super::log();
        let () = Err(anyhow::anyhow!("no configuration"))?;
        Ok(())
    }
}

mod with_a_run_in_a_helper {
    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() {
        run().await;
        println!("main ends after run");
    }

    async fn run() {
        canstop::run().await;
    }
}

mod with_a_destructor_that_panics {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor of main's");
        }
    }

    #[canstop::main(grace = "1s")]
    pub(crate) async fn main() {
        let _guard = super::log();
        let _panics = Panics;
    }
}

fn main() -> std::process::ExitCode {
    match scenario().as_str() {
        "result" => with_a_result::main(),
        "no-value" => without_a_value::main(),
        "early-return" => with_an_early_return::main(),
        "return-in-a-macro" => with_a_return_in_a_macro::main(),
        "error" => with_an_error::main(),
        "question-mark" => with_a_question_mark::main(),
        "run-in-a-helper" => with_a_run_in_a_helper::main(),
        "destructor" => with_a_destructor_that_panics::main(),
        other => panic!("no scenario {other}"),
    }
}
