//! `main` in all the ways in which its body can end, under every lint that a careful crate sets.
#![deny(warnings, missing_docs, rust_2018_idioms, unused_qualifications)]
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

/// An error that stays on its thread.
#[derive(Debug)]
pub struct Local(pub std::rc::Rc<str>);

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Local {}

fn yes() -> bool {
    true
}

/// The errors that `main` may return.
pub mod errors {
    use super::{Error, Local};

    /// Boxed, and `Send`.
    #[canstop::main]
    pub async fn boxed_and_shared() -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("text")?;
        Err(std::io::Error::other("other"))?;
        Ok(())
    }

    /// Boxed.
    #[canstop::main]
    pub async fn boxed() -> Result<(), Box<dyn Error>> {
        Err("text")?;
        Err(Local("local".into()))?;
        Ok(())
    }

    /// Boxed, and half of both.
    #[canstop::main]
    pub async fn boxed_and_sent() -> Result<(), Box<dyn Error + Send>> {
        Ok(())
    }

    /// Of a type that says so itself.
    #[canstop::main]
    pub async fn typed() -> Result<(), std::io::Error> {
        Err(std::io::Error::other("other"))
    }

    /// Not `Send`.
    #[canstop::main]
    pub async fn local() -> Result<(), Local> {
        Err(Local("local".into()))
    }

    /// A text.
    #[canstop::main]
    pub async fn text() -> Result<(), String> {
        Err("text".to_owned())
    }

    /// `anyhow`'s.
    #[canstop::main]
    pub async fn any() -> anyhow::Result<()> {
        anyhow::bail!("any")
    }

    /// An error that only its trait names.
    #[canstop::main]
    pub async fn opaque() -> Result<(), impl Error> {
        "five".parse::<u8>().map(|_| ())
    }
}

/// The last expressions that `main` may have.
pub mod ends {
    use super::{Infallible, yes};

    /// None.
    #[canstop::main]
    pub async fn nothing() {}

    /// A statement.
    #[canstop::main]
    pub async fn statement() {
        println!("statement");
    }

    /// A macro without a semicolon.
    #[canstop::main]
    pub async fn in_parentheses() {
        println!("expression")
    }

    /// A macro in braces.
    #[canstop::main]
    pub async fn select() -> Result<(), String> {
        tokio::select! {
            _ = tokio::task::yield_now() => Ok(()),
            _ = std::future::pending::<()>() => return Err("never".to_owned()),
        }
    }

    /// The same, without a value.
    #[canstop::main]
    pub async fn select_nothing() {
        tokio::select! {
            _ = tokio::task::yield_now() => {}
            _ = std::future::pending::<()>() => return,
        }
    }

    /// Items of a macro.
    #[canstop::main]
    pub async fn items() {
        println!("{}", yes());
        thread_local! {
            static _UNUSED: u8 = const { 1 };
        }
    }

    /// A branch.
    #[canstop::main]
    pub async fn branch() -> Result<(), String> {
        if yes() { Ok(()) } else { Err("no".to_owned()) }
    }

    /// A branch that returns.
    #[canstop::main]
    pub async fn branch_returns() -> Result<(), String> {
        match yes() {
            true => return Ok(()),
            false => Err("no".to_owned()),
        }
    }

    /// A return without a value.
    #[canstop::main]
    pub async fn returns() {
        if yes() {
            return;
        }
        for _ in 0..1 {
            println!("loop");
        }
    }

    /// A value that is `()` of a call.
    #[canstop::main]
    pub async fn call() {
        drop(vec![yes()])
    }

    /// A condition on the last statement.
    #[canstop::main]
    pub async fn conditional() {
        #[cfg(all())]
        {
            println!("here");
        }
        #[cfg(any())]
        {
            println!("not here");
        }
    }

    /// A loop that does not end.
    #[canstop::main]
    pub async fn endless() {
        loop {
            tokio::task::yield_now().await;
        }
    }

    /// A type that says so.
    #[canstop::main]
    pub async fn never() -> ! {
        std::future::pending().await
    }

    /// An error or nothing.
    #[canstop::main]
    pub async fn only_an_error() -> Result<Infallible, String> {
        Err("always".to_owned())
    }

    /// What returns from something else than `main`.
    #[canstop::main]
    pub async fn other_returns() -> Result<(), String> {
        fn function() -> u8 {
            return 1;
        }
        let closure = |n: u8| {
            if n > 1 {
                return n;
            }
            function()
        };
        let block = async {
            if yes() {
                return Some(closure(2));
            }
            None
        };
        println!("{:?}", block.await);
        let values = vec![(|| return 1)(), { 2 }];
        println!("{values:?}");
        return Ok(());
    }

    /// It borrows from its locals to its last line.
    #[canstop::main]
    pub async fn borrows() -> Result<(), String> {
        let text = "5".to_owned();
        let guard = std::sync::Mutex::new(text);
        guard.lock().map(|text| println!("{text}")).map_err(|error| error.to_string())
    }
}

fn main() {}
