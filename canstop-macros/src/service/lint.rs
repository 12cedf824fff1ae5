//! Calls in a body that a stop would not know of, or not get past.
//!
//! The body is not parsed: these are the calls whose words say what they are. A name that was imported
//! cannot be distinguished from the user's own, so only paths count, and of methods none but `block_on`, and
//! `on_upgrade` with a closure.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use crate::tokens::is_punct;

/// A call to warn of: the name of the lint's item, and the word of the user's to show it at.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) lint: &'static str,
    pub(super) word: Ident,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    pub(super) raw_spawn: bool,
    pub(super) blocking_call: bool,
}

/// Paths of calls, and the lint's item for each.
const RAW_SPAWN: [(&str, &str); 9] = [
    ("tokio::spawn", "raw_spawn"),
    ("tokio::task::spawn", "raw_spawn"),
    ("task::spawn", "raw_spawn"),
    ("tokio::task::spawn_local", "raw_spawn"),
    ("task::spawn_local", "raw_spawn"),
    ("tokio::task::spawn_blocking", "raw_spawn_blocking"),
    ("task::spawn_blocking", "raw_spawn_blocking"),
    ("std::thread::spawn", "raw_thread"),
    ("thread::spawn", "raw_thread"),
];
const BLOCKING_CALL: [(&str, &str); 3] =
    [("std::thread::sleep", "blocking_sleep"), ("thread::sleep", "blocking_sleep"), ("std::io::stdin", "blocking_io")];
/// How paths of further blocking calls begin.
const BLOCKING_IO: [&str; 5] =
    ["std::fs::", "std::net::TcpListener::", "std::net::TcpStream::", "std::net::UdpSocket::", "reqwest::blocking::"];

/// Every call to warn of, however deep in blocks and macros.
pub(super) fn find(body: TokenStream, watched: Watched) -> Vec<Finding> {
    let mut findings = Vec::new();
    search(body, watched, &mut findings);
    findings
}

fn search(stream: TokenStream, watched: Watched, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let mut within = watched;
        if let Some(call) = Call::before(&tokens[..at])
            && group.delimiter() == Delimiter::Parenthesis
        {
            within.blocking_call &= !call.moves_elsewhere(group.stream());
            let lint = if call.is_macro { None } else { call.lint(group.stream(), watched) };
            findings.extend(lint.map(|lint| Finding { lint, word: call.word.clone() }));
        }
        search(group.stream(), within, findings);
    }
}

/// The tokens before an opening parenthesis.
struct Call<'a> {
    /// The last word of the path.
    word: &'a Ident,
    /// All of it, `std::thread::spawn`.
    path: String,
    is_method: bool,
    is_macro: bool,
}

impl<'a> Call<'a> {
    fn before(tokens: &'a [TokenTree]) -> Option<Self> {
        let (is_macro, named) = match tokens {
            [named @ .., sign] if is_punct(sign, '!') => (true, named),
            named => (false, named),
        };
        let (TokenTree::Ident(word), mut rest) = named.split_last()? else { return None };
        let mut path = word.to_string();
        while let [outer @ .., TokenTree::Ident(module), first, second] = rest
            && is_punct(first, ':')
            && is_punct(second, ':')
        {
            path.insert_str(0, &format!("{module}::"));
            rest = outer;
        }
        let defines = matches!(rest.last(), Some(TokenTree::Ident(keyword)) if keyword == "fn");
        let is_method = rest.last().is_some_and(|before| is_punct(before, '.'));
        (!defines).then_some(Self { word, path, is_method, is_macro })
    }

    fn lint(&self, arguments: TokenStream, watched: Watched) -> Option<&'static str> {
        let in_table = |table: &[(&str, &'static str)]| {
            let row = table.iter().find(|(path, _)| !self.is_method && *path == self.path);
            row.map(|(_, lint)| *lint)
        };
        let is_upgrade = || self.is_method && self.word == "on_upgrade" && is_closure(arguments);
        let spawns = in_table(&RAW_SPAWN).or_else(|| is_upgrade().then_some("raw_upgrade"));
        let spawns = spawns.filter(|_| watched.raw_spawn);
        spawns.or_else(|| {
            let is_io = || BLOCKING_IO.iter().any(|root| self.path.starts_with(root));
            let blocks = match () {
                () if self.word == "block_on" => Some("block_on"),
                () if is_io() => Some("blocking_io"),
                () => in_table(&BLOCKING_CALL),
            };
            blocks.filter(|_| watched.blocking_call)
        })
    }

    /// Whether what is given to it runs on a thread that may block.
    fn moves_elsewhere(&self, arguments: TokenStream) -> bool {
        let word = self.word.to_string();
        word.starts_with("spawn_blocking")
            || word == "block_in_place"
            || (word.starts_with("spawn") && is_closure(arguments))
    }
}

fn is_closure(arguments: TokenStream) -> bool {
    match arguments.into_iter().next() {
        Some(TokenTree::Ident(first)) => first == "move",
        Some(first) => is_punct(&first, '|'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Watched, find};
    use crate::testing::tokens;

    const ALL: Watched = Watched { raw_spawn: true, blocking_call: true };

    fn found(body: &str) -> Vec<String> {
        let findings = find(tokens(body), ALL).into_iter();
        findings.map(|finding| format!("{} at {}", finding.lint, finding.word)).collect()
    }

    #[test]
    fn a_call_by_its_path_is_found_in_blocks_and_macros() {
        for (body, lint) in [
            ("tokio::spawn(work());", "raw_spawn at spawn"),
            ("::tokio::task::spawn(work());", "raw_spawn at spawn"),
            ("loop { if x { task::spawn_local(work()); } }", "raw_spawn at spawn_local"),
            ("select! { _ = a => { task::spawn_blocking(f); } }", "raw_spawn_blocking at spawn_blocking"),
            ("let handle = std::thread::spawn(run);", "raw_thread at spawn"),
            ("upgrade.on_upgrade(|socket| talk(socket))", "raw_upgrade at on_upgrade"),
            ("upgrade.on_upgrade(move |socket| async move { talk(socket) })", "raw_upgrade at on_upgrade"),
            ("thread::sleep(second);", "blocking_sleep at sleep"),
            ("spawn_session!(async { std::thread::sleep(second) })", "blocking_sleep at sleep"),
            ("tokio::runtime::Handle::current().block_on(f)", "block_on at block_on"),
            ("futures::executor::block_on(f)", "block_on at block_on"),
            ("std::fs::File::open(path)?", "blocking_io at open"),
            ("std::net::TcpStream::connect(peer)?", "blocking_io at connect"),
            ("std::io::stdin().read_line(&mut line)?", "blocking_io at stdin"),
            ("reqwest::blocking::get(url)?", "blocking_io at get"),
        ] {
            assert_eq!(found(body), [lint], "{body}");
        }
    }

    #[test]
    fn what_is_the_users_own_or_runs_where_it_may_block_is_left_alone() {
        for body in [
            "spawn_session!(work());",
            "canstop::spawn_session!(work());",
            "spawn(work());",
            "self::task::spawn(work());",
            "crate::thread::sleep(second);",
            "set.spawn(work());",
            "upgrade.on_upgrade(canstop::http::upgrade(|socket| talk(socket)))",
            "upgrade.on_upgrade(session)",
            "fn block_on() {}",
            "tokio::time::sleep(second).await;",
            "use std::thread; let x = thread::spawn;",
            "tokio::fs::read(path).await?",
            "std::net::SocketAddr::new(host, port)",
            "spawn_blocking_session!(\"name\", move || std::fs::read(path))",
            "tokio::task::block_in_place(|| thread::sleep(second))",
            "std::thread::Builder::new().spawn(move || { thread::sleep(second) })",
        ] {
            assert_eq!(found(body), [""; 0], "{body}");
        }
    }

    #[test]
    fn each_kind_can_be_allowed() {
        let body = tokens("tokio::spawn(async { std::fs::read(path) }); thread::spawn(|| thread::sleep(second));");
        let lints = |watched| find(body.clone(), watched).into_iter().map(|finding| finding.lint).collect::<Vec<_>>();
        assert_eq!(lints(ALL), ["raw_spawn", "blocking_io", "raw_thread"]);
        assert_eq!(lints(Watched { raw_spawn: false, ..ALL }), ["blocking_io"]);
        assert_eq!(lints(Watched { blocking_call: false, ..ALL }), ["raw_spawn", "raw_thread"]);
    }
}
