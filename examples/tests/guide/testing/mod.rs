//! The code of the guide's page on tests.

mod everywhere;
mod panics;
mod run;
mod stop;
