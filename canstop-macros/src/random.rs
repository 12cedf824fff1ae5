//! Random inputs that look like what people write, and like their slips.

use std::env;
use std::str::FromStr as _;

use proc_macro2::TokenStream;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::args::all_names;
use crate::laws;

/// Words that are not options.
const ODD_KEYS: [&str; 6] = ["graec", "colour", "r#type", "async", "in", "or_task"];
const VALUES: [&str; 30] = [
    r#""5s""#,
    r#""1.5 s""#,
    r#""0s""#,
    r#""never""#,
    r#""allways""#,
    r#""100ms..10s""#,
    r#""10s..1s""#,
    r#""5 in 30s""#,
    r#""99999999999999999999h""#,
    r#""""#,
    r#""…""#,
    "5s",
    "5",
    "0",
    "-1",
    "1e400",
    "0x_",
    "true",
    "'a'",
    "b\"5s\"",
    "::canstop",
    "a::b::<C>",
    "a::<b, c>",
    "a",
    "r#a",
    "_",
    "|x| y",
    "<",
    "->",
    "{ a, b }",
];
const LISTS: [&str; 9] =
    ["(a, b)", "(a, a)", "()", "(,)", "(a b)", "(\"a\")", "(a(1))", "(raw_spawn, blocking_call)", "(my-lib, r#b)"];
const BETWEEN: [&str; 6] = [", ", ", ", ", ", ", , ", " ", "; "];

/// One option, sound or not.
fn option() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(String::new()),
        select(&VALUES[..]).prop_map(|value| format!(" = {value}")),
        select(&VALUES[..]).prop_map(|value| format!(" {value}")),
        select(&VALUES[..]).prop_map(|value| format!(" == {value}")),
        Just(" =".to_owned()),
        select(&LISTS[..]).prop_map(str::to_owned),
    ];
    let keys = [all_names(), ODD_KEYS.to_vec()].concat();
    (select(keys), value).prop_map(|(key, value)| format!("{key}{value}"))
}

fn options() -> impl Strategy<Value = String> {
    let separated = (option(), select(&BETWEEN[..])).prop_map(|(option, between)| option + between);
    vec(separated, 0..5).prop_map(|options| options.concat())
}

/// A word for each part of a function, in order.
const PARTS: [&[&str]; 10] = [
    &["", "", "#[a]", "#[cfg(any())]", "/// Docs.\n", "#[canstop::service]", "#[cfg_attr(a, must_use, b)]", "#[]"],
    &["", "pub", "pub(crate)", "pub(in a::b)", "crate"],
    &["async", "async", "async", "", "const", "async unsafe", "extern \"C\"", "unsafe async"],
    &["fn", "fn", "fn", "fn", "struct", "mod", ""],
    &["http", "r#loop", "http", "_", "1"],
    &["", "", "<T>", "<T: A<B>, const N: usize>", "<'a>", "<'a, T: 'a>", "<>", "<"],
    &[
        "(l: Lifecycle)",
        "(l: Lifecycle, a: A)",
        "()",
        "(&self)",
        "(self: Arc<Self>, l: Lifecycle)",
        "(mut l: canstop::Lifecycle, (a, _): (u8, &'static str), http: Vec<&str>)",
        "(l: Lifecycle, args: ...)",
        "(l: &Lifecycle, f: impl Fn(&str) -> &str)",
        "(#[cfg(unix)] l: Lifecycle, state_1: u8, _: u8)",
        "(l Lifecycle)",
    ],
    &[
        "",
        "-> ()",
        "-> !",
        "-> Result<(), E>",
        "-> impl Future<Output = ()> + Send",
        "-> Result<(), impl Error>",
        "-> &str",
        "->",
    ],
    &["", "", "where T: Send", "where"],
    &["{ body }", "{ l.ready(); tokio::spawn(x); select! { a => b } }", "{ let x = ; }", ";", "", "= 5;", "{} extra"],
];

fn item() -> impl Strategy<Value = String> {
    PARTS.map(select).to_vec().prop_map(|parts| parts.join(" "))
}

/// The tokens in `spawn_session!(..)`.
fn session() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        option(),
        select(&VALUES[..]).prop_map(str::to_owned),
        select(
            &[
                "serve(socket)",
                "async move { a, b }",
                "async { loop {} }",
                "move || x",
                "|a, b| c",
                "f::<A, B>(x)",
                "%peer",
                "?state",
                "a.b = %c",
                "id = 7",
                "a.",
                "%",
                "x?",
                "S { a, b }",
                "(|a, b| c)(1, 2)",
                "\"key\" = 1",
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    (vec((piece, select(&BETWEEN[..])), 0..6))
        .prop_map(|pieces| pieces.into_iter().map(|(piece, between)| piece + between).collect())
}

fn tokens(code: &str) -> Result<TokenStream, TestCaseError> {
    TokenStream::from_str(code).map_err(|error| TestCaseError::reject(error.to_string()))
}

fn config() -> ProptestConfig {
    let cases = env::var("CANSTOP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, max_global_rejects: u32::MAX, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_attribute_never_panics_and_keeps_the_item(options in options(), item in item()) {
        laws::attributes(&tokens(&options)?, &tokens(&item)?);
    }

    #[test]
    fn a_session_never_panics_and_keeps_the_call(input in session()) {
        laws::sessions(&tokens(&input)?);
    }
}
