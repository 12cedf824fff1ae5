//! Holds the guide's pages to the code. Doctests compile every block, and run those that need neither a signal nor a
//! server; what they do not run is in a program or a test here, word for word.

use std::fs;
use std::path::{Path, PathBuf};

/// Pages that show code of the crates that a program comes from. `tests/migration` compiles it.
const FROM_OTHERS: [&str; 3] = ["migration.md", "migration-web.md", "migration-supervisors.md"];

pub(crate) struct Page {
    name: String,
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) struct Block<'a> {
    /// As `page:line`.
    place: String,
    pub(crate) info: &'a str,
    pub(crate) text: String,
}

/// The pages of the guide itself; those that are links to other documents have tests of their own.
pub(crate) fn pages() -> Vec<Page> {
    let folder = "canstop/docs/guide";
    let mut pages = Vec::new();
    for entry in fs::read_dir(repository().join(folder)).expect("the guide is a folder") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".md") && !path.is_symlink() {
            pages.push(page(&format!("{folder}/{name}")));
        }
    }
    assert!(pages.len() > 10, "only {} pages", pages.len());
    pages
}

/// A page, by its path from the root of the repository.
pub(crate) fn page(path: &str) -> Page {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Page { name, path: path.to_owned(), text: read(&repository().join(path)) }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of every file below a folder whose name ends so.
fn sources(folder: &Path, end: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(read(&path));
        }
    }
}

impl Page {
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let Some(info) = line.strip_prefix("```") else { continue };
            let text: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let place = format!("{}:{}", self.name, index + 1);
            blocks.push(Block { place, info, text: text.join("\n") });
        }
        blocks
    }
}

#[test]
fn what_doctests_do_not_run_is_run_by_tests() {
    let mut code = Vec::new();
    sources(&repository().join("examples"), ".rs", &mut code);
    let pages = pages();
    let blocks = pages.iter().flat_map(Page::blocks);
    // A page's main example is long, and is run even where it compiles alone.
    let is_long = |block: &Block<'_>| block.text.lines().count() > 40;
    let not_run = |block: &Block<'_>| block.info.contains("no_run") || block.text.contains("#[canstop::test");
    let mut count = 0;
    for block in blocks.filter(|block| block.info.starts_with("rust") && !block.info.contains("ignore")) {
        if not_run(&block) || is_long(&block) {
            count += 1;
            assert!(code.iter().any(|code| code.contains(&block.text)), "no program or test contains {}", block.place);
        }
    }
    assert!(count >= 7, "{count} such blocks");
}

#[test]
fn only_the_code_of_other_crates_is_not_compiled() {
    for page in pages() {
        for block in page.blocks() {
            assert!(!block.info.is_empty(), "{} says no language", block.place);
            let is_compiled = !block.info.contains("ignore") && !block.info.contains("compile_fail");
            let may_be_not = FROM_OTHERS.contains(&page.name.as_str()) || !block.info.starts_with("rust");
            assert!(is_compiled || may_be_not, "{} is not compiled", block.place);
        }
    }
}

#[test]
fn the_code_of_other_crates_is_compiled_in_a_package_of_its_own() {
    let mut code = Vec::new();
    sources(&repository().join("tests/migration"), ".rs", &mut code);
    let pages = pages();
    let mut count = 0;
    for block in pages.iter().flat_map(Page::blocks).filter(|block| block.info.contains("ignore")) {
        count += 1;
        assert!(code.iter().any(|code| code.contains(&block.text)), "tests/migration does not contain {}", block.place);
    }
    assert!(count >= 7, "{count} such blocks");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let folder = repository().join("canstop/docs/guide");
    for Page { name, text, .. } in pages() {
        let defined = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        for (_, target) in defined.filter(|(_, target)| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = folder.join(file);
            assert!(path.exists(), "{name} links to {target}");
            let has = |line: &str| line.starts_with('#') && anchor(line) == heading;
            assert!(heading.is_empty() || read(&path).lines().any(has), "{name} links to {target}");
        }
        assert!(!text.contains("](") || !text.contains(".md)"), "{name} has a link that docs.rs cannot follow");
    }
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A page writes `..` for what differs from line to line.
#[test]
fn quoted_log_lines_are_those_of_the_code() {
    let mut code = Vec::new();
    sources(&repository().join("canstop/src"), ".rs", &mut code);
    let code: Vec<_> = code.iter().map(|code| with_dots(code)).collect();
    let page = read(&repository().join("canstop/docs/guide/troubleshooting.md"));
    let (_, lines) = page.split_once("## By log line").expect("it has this part");
    let mut count = 0;
    for quoted in lines.lines().filter_map(|line| line.strip_prefix("#### `` ")?.strip_suffix(" ``")) {
        count += 1;
        let parts: Vec<_> = quoted.split("..").map(str::trim).filter(|part| part.len() > 2).collect();
        assert!(!parts.is_empty(), "{quoted}");
        let says = |code: &String| code.contains(quoted) || parts.iter().all(|part| code.contains(part));
        assert!(code.iter().any(says), "no file of the code says `{quoted}`");
    }
    assert!(count >= 20, "{count} lines");
}

/// The code with `..` in place of what is formatted, and without the breaks of long texts.
fn with_dots(code: &str) -> String {
    let mut text = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(['\\', '{']) {
        text.push_str(&rest[..at]);
        let (special, after) = (&rest[at..=at], &rest[at + 1..]);
        rest = match (special, after.strip_prefix('\n'), after.find('}')) {
            ("\\", Some(next), _) => next.trim_start(),
            ("{", _, Some(end)) if end < 30 && !after[..end].contains('\n') => {
                text.push_str("..");
                &after[end + 1..]
            }
            _ => after,
        };
    }
    text + rest
}
