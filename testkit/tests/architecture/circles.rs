//! No import circles: if one module of a crate uses another, the other does not use it back, directly or
//! through others.
//!
//! A module is a file. A path that leads through a re-export counts for the module that defines the name, not for
//! the one that passes it on. Code of tests (`#[cfg(test)]`) does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::source::{Rust, files, root, shown};

type Edges = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Re-exports are followed no further than this, so that a circle of them ends.
const HOPS_MAX: usize = 8;

/// One file of a crate.
struct Module {
    /// The folder where the files of its child modules lie.
    folder: PathBuf,
    parent: Option<PathBuf>,
    /// Child modules that have a file of their own, by name.
    children: BTreeMap<String, PathBuf>,
    /// Names that `use` brings into the module, with their paths.
    aliases: BTreeMap<String, Vec<String>>,
    /// All paths that occur in `use` items and in expressions.
    paths: Vec<Vec<String>>,
}

/// The modules of one crate, by file.
struct Crate {
    root: PathBuf,
    modules: BTreeMap<PathBuf, Module>,
}

impl Crate {
    /// Reads the crate whose root is this file.
    fn read(root: &Path, text_of: &impl Fn(&Path) -> Option<String>) -> Self {
        let mut read = Self { root: root.to_owned(), modules: BTreeMap::new() };
        let folder = root.parent().unwrap().to_owned();
        let mut waiting = vec![(root.to_owned(), folder, None)];
        while let Some((file, folder, parent)) = waiting.pop() {
            let Some(text) = text_of(&file) else { continue };
            let module = Module::read(&text, folder, parent, text_of);
            for child in module.children.values() {
                let is_folder_file = child.file_name().is_some_and(|name| name == "mod.rs");
                let stem = if is_folder_file { child.parent().unwrap() } else { child };
                waiting.push((child.clone(), stem.with_extension(""), Some(file.clone())));
            }
            read.modules.insert(file, module);
        }
        read
    }

    /// Which module uses which.
    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (file, module) in &self.modules {
            let used = module.paths.iter().filter_map(|path| self.resolve(file, path, 0));
            edges.insert(file.clone(), used.filter(|used| used != file).collect());
        }
        edges
    }

    /// The module that a path of this module leads to; `None` for another crate's.
    fn resolve(&self, file: &Path, path: &[String], hops: usize) -> Option<PathBuf> {
        let mut at = file.to_owned();
        let mut rest = path;
        let mut is_ours = false;
        while let Some((first, more)) = rest.split_first() {
            let module = &self.modules[&at];
            match first.as_str() {
                "crate" => at.clone_from(&self.root),
                "self" => {}
                "super" => at = module.parent.clone()?,
                name => {
                    if let Some(child) = module.children.get(name) {
                        at.clone_from(child);
                    } else if let Some(alias) = module.aliases.get(name)
                        && hops < HOPS_MAX
                        && alias != path
                    {
                        return self.resolve(&at, &[alias, more].concat(), hops + 1);
                    } else {
                        // The name is an item of this module, or of another crate.
                        return is_ours.then_some(at);
                    }
                }
            }
            is_ours = true;
            rest = more;
        }
        is_ours.then_some(at)
    }
}

impl Module {
    fn read(
        text: &str,
        folder: PathBuf,
        parent: Option<PathBuf>,
        text_of: &impl Fn(&Path) -> Option<String>,
    ) -> Self {
        let tokens = tokens(&Rust::parse(text).code_without_tests());
        let mut module = Self {
            folder,
            parent,
            children: BTreeMap::new(),
            aliases: BTreeMap::new(),
            paths: Vec::new(),
        };
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "mod" if tokens.get(at + 2).is_some_and(|token| token == ";") => {
                    module.note_child(&tokens[at + 1], text_of);
                    at += 3;
                }
                "use" => {
                    let rest = &tokens[at + 1..];
                    let end = rest.iter().position(|token| token == ";").unwrap_or(rest.len());
                    for (path, name) in use_paths(&rest[..end]) {
                        module.aliases.insert(name, path.clone());
                        module.paths.push(path);
                    }
                    at += end + 2;
                }
                _ => at += module.note_path(&tokens[at..]),
            }
        }
        module
    }

    fn note_child(&mut self, name: &str, text_of: &impl Fn(&Path) -> Option<String>) {
        let beside = self.folder.join(format!("{name}.rs"));
        let within = self.folder.join(name).join("mod.rs");
        let file = [beside, within].into_iter().find(|file| text_of(file).is_some());
        self.children.extend(file.map(|file| (name.to_owned(), file)));
    }

    /// Notes the path that these tokens begin with, if any. Returns how many tokens to skip.
    fn note_path(&mut self, tokens: &[String]) -> usize {
        let mut path = Vec::new();
        let mut at = 0;
        while tokens.get(at).is_some_and(|token| is_name(token)) {
            path.push(tokens[at].clone());
            at += 1;
            if tokens.get(at).is_none_or(|token| token != "::") {
                break;
            }
            at += 1;
        }
        if path.len() > 1 {
            self.paths.push(path);
        }
        at.max(1)
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = match rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()) {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            length => length,
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The paths of a `use` item, each with the name that it brings in.
fn use_paths(tokens: &[String]) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => at += 1,
            "{" => {
                for part in parts(&tokens[at + 1..tokens.len() - 1]) {
                    for (inner, name) in use_paths(part) {
                        let name = if name == "self" { path.last().cloned() } else { Some(name) };
                        let inner: Vec<String> =
                            inner.into_iter().filter(|name| name != "self").collect();
                        let whole = [path.clone(), inner].concat();
                        found.push((whole, name.unwrap_or_default()));
                    }
                }
                return found;
            }
            "as" => return vec![(path, tokens[at + 1].clone())],
            name => {
                path.push(name.to_owned());
                at += 1;
            }
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    vec![(path, name)]
}

/// Splits at the commas that stand in no inner braces.
fn parts(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0_usize;
    let parts = tokens.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        token == "," && depth == 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// Groups of modules that reach each other.
fn circles(edges: &Edges) -> Vec<BTreeSet<PathBuf>> {
    let reach = |from: &PathBuf| {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(next) = waiting.pop() {
            for used in edges.get(next).into_iter().flatten() {
                if reached.insert(used.clone()) {
                    waiting.push(used);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|module| (module, reach(module))).collect();
    let mut found = Vec::new();
    for (module, reaches) in &reached {
        let group: BTreeSet<PathBuf> = reaches
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
            .cloned()
            .collect();
        if group.len() > 1 && !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

/// Files that rustc starts from: libraries, programs, tests, examples, fuzz targets.
fn is_crate_root(path: &Path) -> bool {
    let shown = shown(path);
    let parts: Vec<&str> = shown.split('/').collect();
    match parts.as_slice() {
        [_, "src", "lib.rs" | "main.rs"] | [_, "src", "bin", _, "main.rs"] => true,
        [_, "tests", _, "main.rs"] => true,
        [.., "bin" | "tests" | "examples" | "fuzz_targets", file] => file.ends_with(".rs"),
        _ => false,
    }
}

/// Describes a circle by its arrows.
fn describe(group: &BTreeSet<PathBuf>, edges: &Edges) -> String {
    let mut lines = String::new();
    for module in group {
        for used in edges[module].intersection(group) {
            lines += &format!("    {} uses {}\n", shown(module), shown(used));
        }
    }
    lines
}

#[test]
fn no_modules_import_each_other() {
    let text_of = |path: &Path| std::fs::read_to_string(path).ok();
    let (mut found, mut modules) = (String::new(), 0);
    for path in files(&root()).iter().filter(|path| is_crate_root(path)) {
        let read = Crate::read(path, &text_of);
        modules += read.modules.len();
        let edges = read.edges();
        for (nth, group) in circles(&edges).iter().enumerate() {
            found += &format!(
                "{}, circle {} of {} modules:\n{}",
                shown(path),
                nth + 1,
                group.len(),
                describe(group, &edges)
            );
        }
    }
    assert!(modules > 200, "{modules} modules were read");
    assert!(found.is_empty(), "import circles:\n{found}");
}

/// The circles of a crate that is given as file names and texts.
#[cfg(test)]
fn planted(texts: &[(&str, &str)]) -> Vec<Vec<String>> {
    let texts: BTreeMap<PathBuf, String> =
        texts.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect();
    let read = Crate::read(Path::new("src/lib.rs"), &|path| texts.get(path).cloned());
    let shown = |group: &BTreeSet<PathBuf>| group.iter().map(|path| shown(path)).collect();
    circles(&read.edges()).iter().map(shown).collect()
}

#[test]
fn a_planted_circle_is_found() {
    let circle = [
        ("src/lib.rs", "mod a; mod b; mod c;"),
        ("src/a.rs", "use crate::b::{Thing, Other as Name};"),
        ("src/b.rs", "fn f() { super::c::g() }"),
        ("src/c.rs", "use crate::{a, d};"),
    ];
    assert_eq!(planted(&circle), [["src/a.rs", "src/b.rs", "src/c.rs"]]);
}

#[test]
fn a_circle_of_a_parent_and_its_child_is_found() {
    let circle = [
        ("src/lib.rs", "mod a;"),
        ("src/a.rs", "mod b; use b::Thing; pub struct Word;"),
        ("src/a/b.rs", "use super::Word;"),
    ];
    assert_eq!(planted(&circle), [["src/a/b.rs", "src/a.rs"]]);
}

#[test]
fn a_name_that_is_passed_on_belongs_to_the_module_that_defines_it() {
    let straight = [
        ("src/lib.rs", "mod a; mod c; pub use a::Error; pub use c::go;"),
        ("src/a.rs", "mod error; pub use error::Error; mod b; pub use b::Thing;"),
        ("src/a/error.rs", ""),
        ("src/a/b.rs", "use super::Error; use crate::Error as Same;"),
        ("src/c.rs", "use crate::Error; // crate::go\n#[cfg(test)] mod tests { use crate::go; }"),
    ];
    assert_eq!(planted(&straight), Vec::<Vec<String>>::new());
}
