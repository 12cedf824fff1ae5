//! Distinguishes a `Result` from other outputs, without a bound on the user's type.
//!
//! A session may return anything. Where that is a `Result`, its `Err` is reported. Rust has no specialisation, but
//! method resolution takes the candidate that needs the fewest dereferences. The macro calls `observer()` on
//! `&&&&&OutputProbe`, and the traits below are implemented from the most specific one, at five references, to one
//! for any output.
//!
//! An output whose type is not known yet would be taken for a `Result`, and an error would follow where a later line
//! settles it. So the macro also writes a call on the output itself, which never runs: it makes the compiler ask for
//! the type, where the session is spawned.

use std::any::Any;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::mem::needs_drop;

use super::current::inspect;
use crate::failure::{debug_text, display_text, with_sources};

mod sealed {
    use super::{BlockingOutputProbe, DebugResult, DisplayResult, ErrorResult, NotAResult, OutputProbe, SilentResult};

    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}

    impl Sealed for NotAResult {}
    impl Sealed for ErrorResult {}
    impl Sealed for DisplayResult {}
    impl Sealed for DebugResult {}
    impl Sealed for SilentResult {}
    impl<F> Sealed for OutputProbe<F> {}
    impl<F> Sealed for BlockingOutputProbe<F> {}
    impl<T: Sealed> Sealed for &T {}
}

/// Finds the error in an output.
pub trait OutputObserver<T>: sealed::Sealed {
    /// The error as text, if the output is one.
    fn error(&self, output: &T) -> Option<String>;

    /// Returns true if to drop the output may run code.
    #[inline]
    fn has_destructor(&self, output: &T) -> bool {
        let _ = output;
        needs_drop::<T>()
    }
}

#[inline]
fn result_has_destructor<T, E>(output: &Result<T, E>) -> bool {
    match output {
        Ok(_) => needs_drop::<T>(),
        Err(_) => needs_drop::<E>(),
    }
}

#[cold]
fn text_of<E: Any>(error: &E, text: impl FnOnce(&E) -> String) -> String {
    inspect(error).append_to(text(error))
}

/// Represents the output of a future.
#[derive(Debug)]
pub struct OutputProbe<F>(PhantomData<fn() -> F>);

impl<F> OutputProbe<F> {
    /// A probe of this future's output.
    pub fn of(_future: &F) -> Self {
        Self(PhantomData)
    }
}

/// Represents the output of a closure.
#[derive(Debug)]
pub struct BlockingOutputProbe<F>(PhantomData<fn() -> F>);

impl<F> BlockingOutputProbe<F> {
    /// A probe of this closure's output.
    pub fn of(_closure: &F) -> Self {
        Self(PhantomData)
    }
}

/// Not a `Result`: it cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct NotAResult;
/// A `Result` whose error is an [`Error`]: its sources are reported too.
#[derive(Clone, Copy, Debug)]
pub struct ErrorResult;
/// A `Result` whose error can be displayed, with its sources if it is `anyhow`'s.
#[derive(Clone, Copy, Debug)]
pub struct DisplayResult;
/// A `Result` whose error has only `Debug`.
#[derive(Clone, Copy, Debug)]
pub struct DebugResult;
/// A `Result` whose error cannot be shown.
#[derive(Clone, Copy, Debug)]
pub struct SilentResult;

impl<T> OutputObserver<T> for NotAResult {
    #[inline]
    fn error(&self, _output: &T) -> Option<String> {
        None
    }
}

impl<T, E: Error + Any> OutputObserver<Result<T, E>> for ErrorResult {
    #[inline]
    fn error(&self, output: &Result<T, E>) -> Option<String> {
        output.as_ref().err().map(|error| text_of(error, with_sources))
    }

    #[inline]
    fn has_destructor(&self, output: &Result<T, E>) -> bool {
        result_has_destructor(output)
    }
}

impl<T, E: Display + Any> OutputObserver<Result<T, E>> for DisplayResult {
    #[inline]
    fn error(&self, output: &Result<T, E>) -> Option<String> {
        output.as_ref().err().map(|error| text_of(error, display_text))
    }

    #[inline]
    fn has_destructor(&self, output: &Result<T, E>) -> bool {
        result_has_destructor(output)
    }
}

impl<T, E: Debug + Any> OutputObserver<Result<T, E>> for DebugResult {
    #[inline]
    fn error(&self, output: &Result<T, E>) -> Option<String> {
        output.as_ref().err().map(|error| text_of(error, debug_text))
    }

    #[inline]
    fn has_destructor(&self, output: &Result<T, E>) -> bool {
        result_has_destructor(output)
    }
}

impl<T, E: Any> OutputObserver<Result<T, E>> for SilentResult {
    #[inline]
    fn error(&self, output: &Result<T, E>) -> Option<String> {
        let text = |_: &E| "an error that has neither Display nor Debug".to_owned();
        output.as_ref().err().map(|error| text_of(error, text))
    }

    #[inline]
    fn has_destructor(&self, output: &Result<T, E>) -> bool {
        result_has_destructor(output)
    }
}

/// The traits that the macros bring into scope around their probe.
pub mod observe {
    use super::{
        Any, BlockingOutputProbe, Debug, DebugResult, Display, DisplayResult, Error, ErrorResult, NotAResult,
        OutputProbe, SilentResult, sealed::Sealed,
    };

    macro_rules! levels {
        ($($level:ident),*) => { $(
            /// One level of the resolution.
            pub trait $level: Sealed {
                /// What observes the output.
                type OutputObserver;
                /// The observer of the probe's output.
                fn observer(&self) -> Self::OutputObserver;
            }
        )* };
    }

    levels!(ViaError, ViaDisplay, ViaDebug, ViaResult, ViaNotAResult);

    macro_rules! observe {
        ($level:ident, $observer:ident, [$($bound:tt)*], $($reference:tt)*) => {
            impl<F, T, E> $level for $($reference)* OutputProbe<F>
            where
                F: Future<Output = Result<T, E>>,
                $($bound)*
            {
                type OutputObserver = $observer;
                #[inline]
                fn observer(&self) -> $observer {
                    $observer
                }
            }

            impl<F, T, E> $level for $($reference)* BlockingOutputProbe<F>
            where
                F: FnOnce() -> Result<T, E>,
                $($bound)*
            {
                type OutputObserver = $observer;
                #[inline]
                fn observer(&self) -> $observer {
                    $observer
                }
            }
        };
    }

    /// Gives the type of the output.
    pub trait HasOutput: Sealed {
        /// What the future or closure gives.
        type Output;
        /// Only for its type: it is never called.
        fn output(&self) -> &Self::Output {
            unreachable!("only its type is asked for")
        }
    }

    impl<F: Future> HasOutput for &OutputProbe<F> {
        type Output = F::Output;
    }

    impl<F: FnOnce() -> T, T> HasOutput for &BlockingOutputProbe<F> {
        type Output = T;
    }

    /// For what is neither a future nor a closure, which another error reports.
    pub trait HasNoOutput: Sealed {
        /// Nothing.
        fn output(&self) -> &() {
            &()
        }
    }

    impl<F> HasNoOutput for OutputProbe<F> {}
    impl<F> HasNoOutput for BlockingOutputProbe<F> {}

    /// Implemented for every type, once that is known.
    pub trait Known {
        /// Nothing.
        fn is_known(&self) {}
    }

    impl<T> Known for T {}

    observe!(ViaError, ErrorResult, [E: Error + Any], &&&&);
    observe!(ViaDisplay, DisplayResult, [E: Display + Any], &&&);
    observe!(ViaDebug, DebugResult, [E: Debug + Any], &&);
    observe!(ViaResult, SilentResult, [E: Any], &);

    impl<F> ViaNotAResult for OutputProbe<F> {
        type OutputObserver = NotAResult;
        #[inline]
        fn observer(&self) -> NotAResult {
            NotAResult
        }
    }

    impl<F> ViaNotAResult for BlockingOutputProbe<F> {
        type OutputObserver = NotAResult;
        #[inline]
        fn observer(&self) -> NotAResult {
            NotAResult
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::observe::*;
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot read the order")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    #[derive(Debug)]
    struct OnlyDebug;
    struct Nothing;

    macro_rules! error_of {
        ($output:expr) => {{
            let output = $output;
            let future = std::future::ready(output);
            let observer = (&&&&&OutputProbe::of(&future)).observer();
            let output = future.into_inner();
            let by_future = observer.error(&output);
            let closure = move || output;
            let observer = (&&&&&BlockingOutputProbe::of(&closure)).observer();
            assert_eq!(observer.error(&closure()), by_future);
            by_future
        }};
    }

    #[test]
    fn an_error_is_reported_as_well_as_its_type_allows() {
        let io = std::io::Error::other("disk gone");
        assert_eq!(error_of!(Err::<(), _>(Outer(io))).as_deref(), Some("cannot read the order: disk gone"));
        let anyhow = anyhow::anyhow!("inner").context("outer");
        assert_eq!(error_of!(Err::<(), _>(anyhow)).as_deref(), Some("outer: inner"));
        assert_eq!(error_of!(Err::<(), _>("a word")).as_deref(), Some("a word"));
        assert_eq!(error_of!(Err::<(), _>(OnlyDebug)).as_deref(), Some("OnlyDebug"));
        assert!(error_of!(Err::<(), _>(Nothing)).is_some());
        assert_eq!(error_of!(Ok::<_, Nothing>(7)), None);
    }

    #[test]
    fn an_output_has_a_destructor_if_its_variant_has() {
        let ok = Ok::<u8, String>(7);
        assert!(!DisplayResult.has_destructor(&ok));
        assert!(DisplayResult.has_destructor(&Err::<u8, _>(String::new())));
        assert!(!NotAResult.has_destructor(&7));
        assert!(NotAResult.has_destructor(&String::new()));
    }

    #[test]
    fn what_is_no_result_cannot_fail() {
        assert_eq!(error_of!(()), None);
        assert_eq!(error_of!(Some(1)), None);
        assert_eq!(error_of!(Nothing), None);
    }
}
