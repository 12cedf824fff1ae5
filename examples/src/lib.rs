//! The programs are in `examples`. This checks that the code in the documents compiles.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/without-macros.md")]
struct WithoutMacros;
