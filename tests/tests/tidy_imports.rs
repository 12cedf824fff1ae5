//! No file imports a file that imports it, directly or through others.
//!
//! `crate::`, `super::` and `self::` paths count, also inside code. A name that a module re-exports counts as
//! an arrow to the file that defines it, so a re-export is no arrow of its own. Tests are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules for generated code, which may use every module.
const DOORS: [&str; 2] = ["macros", "private"];

type Module = Vec<String>;

/// The modules of one crate.
struct Crate {
    files: BTreeMap<Module, File>,
}

struct File {
    path: String,
    /// Without comments and tests.
    code: String,
    /// Its re-exports: the name, and the path behind it.
    exports: Vec<(String, Vec<String>)>,
    /// The modules that it declares, in its order.
    declares: Vec<String>,
}

#[test]
fn no_file_imports_a_file_that_imports_it() {
    let circles = |folder| Crate::read(folder).circles().into_iter().map(|circle| circle.join(" <-> "));
    let circles: Vec<_> = ["canstop/src", "canstop-macros/src"].into_iter().flat_map(circles).collect();
    assert!(circles.is_empty(), "these files import each other:\n{}", circles.join("\n"));
}

/// A folder can be read from its first module to its last.
#[test]
fn modules_are_declared_in_reading_order() {
    let mut faults = String::new();
    for folder in ["canstop/src", "canstop-macros/src"] {
        faults.extend(Crate::read(folder).out_of_order());
    }
    assert!(faults.is_empty(), "a module uses only modules that are declared above it:\n{faults}");
}

#[test]
fn paths_are_read_with_groups_and_aliases() {
    let read = |code: &str| paths(code).into_iter().map(|(path, _)| path.join("::")).collect::<Vec<_>>();
    assert_eq!(read("use crate::a::{B, c::{self, D}};"), ["crate::a::B", "crate::a::c", "crate::a::c::D"]);
    assert_eq!(read("super::super::x::run(); $crate::y; self::z"), ["super::super::x::run", "self::z"]);
    assert_eq!(paths("pub(crate) use self::a::B as C;"), [(vec!["self".into(), "a".into(), "B".into()], "C".into())]);
}

#[test]
fn an_arrow_goes_through_a_re_export_to_the_defining_file() {
    let file = |path: &str, code: &str| File::new(path.to_owned(), code);
    let name = |name: &str| vec![name.to_owned()];
    let files = [
        (vec![], file("lib.rs", "mod a; mod b; pub use a::A;")),
        (name("a"), file("a.rs", "use crate::b::B; pub struct A;")),
        (name("b"), file("b.rs", "use super::A; pub struct B;")),
    ];
    let krate = Crate { files: files.into_iter().collect() };
    assert_eq!(krate.circles(), [["a.rs", "b.rs"]]);
}

impl File {
    fn new(path: String, text: &str) -> Self {
        // Unit tests are at the end of a file.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
        let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        let code = lines.collect::<Vec<_>>().join("\n");
        let mut exports = Vec::new();
        for statement in code.split(';') {
            let statement = statement.trim_start();
            let Some(at) = statement.find("use ").filter(|_| statement.starts_with("pub")) else { continue };
            exports.extend(tree(&statement[at + 4..]).into_iter().map(|(path, name)| (name, path)));
        }
        let declared = code.lines().filter_map(|line| {
            let line = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
            Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        });
        let declares = declared.collect();
        Self { path, code, exports, declares }
    }
}

impl Crate {
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace");
        let mut paths = Vec::new();
        find(&root.join(folder), &mut paths);
        assert!(!paths.is_empty(), "nothing in {folder}");
        let mut files = BTreeMap::new();
        for path in paths {
            let within = path.strip_prefix(root.join(folder)).expect("it was found there").with_extension("");
            let mut module: Module = within.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.iter().any(|part| part == "tests" || part == "testing" && folder == "canstop-macros/src") {
                continue;
            }
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.strip_prefix(root).expect("it was found under the root").display().to_string();
            files.insert(module, File::new(name, &text));
        }
        Self { files }
    }

    /// The module of the file that defines what a path in `from` names.
    fn defines(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut module = from.clone();
        for (index, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => {
                    module.pop()?;
                }
                name => {
                    let mut child = module.clone();
                    child.push(name.to_owned());
                    if self.files.contains_key(&child) {
                        module = child;
                        continue;
                    }
                    let exports = &self.files.get(&module)?.exports;
                    let export = exports.iter().find(|(export, _)| export == name).filter(|_| depth < 8);
                    return match export {
                        Some((_, behind)) => {
                            let behind: Vec<_> = behind.iter().chain(&path[index + 1..]).cloned().collect();
                            self.defines(&module, &behind, depth + 1).or(Some(module))
                        }
                        None => Some(module),
                    };
                }
            }
        }
        Some(module)
    }

    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let arrows = |(module, file): (_, &File)| {
            let re_exported: BTreeSet<_> = file.exports.iter().map(|(_, path)| path).collect();
            let used = paths(&file.code).into_iter().filter(|(path, _)| !re_exported.contains(path));
            let used = used.filter_map(|(path, _)| self.defines(module, &path, 0));
            (module, used.filter(|used| used != module).collect())
        };
        self.files.iter().map(arrows).collect()
    }

    /// Each folder whose modules are not in reading order, with an order that is.
    fn out_of_order(&self) -> Vec<String> {
        let arrows = self.arrows();
        let out_of_order = |(folder, file): (&Module, &File)| {
            // A module includes all that is in it.
            let child = |module: &Module| module.strip_prefix(folder.as_slice())?.first().cloned();
            let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in arrows.iter().flat_map(|(from, used)| used.iter().map(move |to| (*from, to))) {
                if let (Some(from), Some(to)) = (child(from), child(to))
                    && from != to
                {
                    uses.entry(from).or_default().insert(to);
                }
            }
            let is_read = |name: &&String| {
                let module: Module = folder.iter().chain([*name]).cloned().collect();
                self.files.contains_key(&module) && !DOORS.contains(&name.as_str())
            };
            let declared: Vec<_> = file.declares.iter().filter(is_read).cloned().collect();
            let order = reading_order(&declared, &uses);
            (declared != order).then(|| format!("{}: {}\n", file.path, order.join(", ")))
        };
        self.files.iter().filter_map(out_of_order).collect()
    }

    /// The files of each circle.
    fn circles(&self) -> Vec<Vec<String>> {
        let arrows = self.arrows();
        let reach = |from: &Module| {
            let mut reached = BTreeSet::new();
            let mut next = vec![from.clone()];
            while let Some(module) = next.pop() {
                for used in arrows.get(&module).into_iter().flatten() {
                    if reached.insert(used.clone()) {
                        next.push(used.clone());
                    }
                }
            }
            reached
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, from_here) in &reached {
            let circle: BTreeSet<_> = from_here
                .iter()
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
                .collect();
            if !circle.is_empty() {
                circles.insert(circle.into_iter().map(|module| self.files[module].path.clone()).collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }
}

/// The declared modules, each after those that it uses, and otherwise as they are declared.
fn reading_order(declared: &[String], uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    fn place(
        name: &String,
        uses: &BTreeMap<String, BTreeSet<String>>,
        seen: &mut Vec<String>,
        order: &mut Vec<String>,
    ) {
        if seen.contains(name) {
            return;
        }
        seen.push(name.clone());
        for used in uses.get(name).into_iter().flatten() {
            place(used, uses, seen, order);
        }
        order.push(name.clone());
    }
    let (mut seen, mut order) = (Vec::new(), Vec::new());
    for name in declared {
        place(name, uses, &mut seen, &mut order);
    }
    order
}

/// Every path in the code that begins at the crate, the parent or the module itself, with the name it takes.
fn paths(code: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|before| before == '$' || before == ':' || is_in_name(before)) {
                found.push((at, tree(&code[at..])));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().flat_map(|(_, paths)| paths).collect()
}

/// The paths of a use tree at the beginning of a text.
fn tree(text: &str) -> Vec<(Vec<String>, String)> {
    let mut path = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let inner = branches(group).into_iter().flat_map(tree);
            return inner
                .map(|(tail, name)| {
                    let is_self = tail == ["self"];
                    let tail = if is_self { Vec::new() } else { tail };
                    let whole: Vec<_> = path.iter().cloned().chain(tail).collect();
                    let name = if is_self { whole.last().cloned().unwrap_or_default() } else { name };
                    (whole, name)
                })
                .collect();
        }
        let name: String = rest.chars().take_while(|&next| is_in_name(next)).collect();
        if name.is_empty() {
            break;
        }
        rest = &rest[name.len()..];
        path.push(name);
        match rest.strip_prefix("::") {
            Some(after) => rest = after.trim_start(),
            None => break,
        }
    }
    let alias = rest.trim_start().strip_prefix("as ").map(|alias| alias.chars().take_while(|&next| is_in_name(next)));
    let name = alias.map(String::from_iter).or_else(|| path.last().cloned()).unwrap_or_default();
    if path.is_empty() { Vec::new() } else { vec![(path, name)] }
}

/// The parts of a group, up to its closing brace.
fn branches(group: &str) -> Vec<&str> {
    let (mut depth, mut start) = (1, 0);
    let mut branches = Vec::new();
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || depth == 1 && character == ',' {
            branches.push(&group[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    branches
}

fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
