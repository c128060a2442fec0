//! Folders stay small enough to read: at most twenty source files beside each other, and no `mod.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::{files, root, shown};

const SOURCES: [&str; 6] = ["rs", "lua", "sql", "js", "py", "sh"];
const FILES_MAX: usize = 20;

/// Folders with more source files than allowed, with their numbers.
fn crowded(paths: &[PathBuf]) -> Vec<(String, usize)> {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let is_source = |path: &&PathBuf| {
        path.extension().is_some_and(|found| SOURCES.iter().any(|known| found == *known))
    };
    for path in paths.iter().filter(is_source) {
        *sizes.entry(shown(path.parent().unwrap_or(Path::new("")))).or_default() += 1;
    }
    sizes.into_iter().filter(|(_, size)| *size > FILES_MAX).collect()
}

#[test]
fn no_folder_holds_more_than_twenty_source_files() {
    let found = crowded(&files(&root()));
    let lines: Vec<String> =
        found.iter().map(|(folder, size)| format!("{size:5} {folder}")).collect();
    assert!(found.is_empty(), "more than {FILES_MAX} source files in:\n{}", lines.join("\n"));
}

#[test]
fn a_planted_crowd_is_found() {
    let paths = |number: usize, extension: &str| -> Vec<PathBuf> {
        (0..number).map(|n| PathBuf::from(format!("a/b/{n}.{extension}"))).collect()
    };
    assert_eq!(crowded(&paths(20, "rs")), []);
    assert_eq!(crowded(&paths(200, "md")), []);
    let mixed = [paths(20, "rs"), paths(1, "lua")].concat();
    assert_eq!(crowded(&mixed), [("a/b".to_owned(), 21)]);
}

#[test]
fn a_module_with_a_folder_is_a_file_beside_it() {
    let all = files(&root());
    let found: Vec<String> =
        all.iter().filter(|path| path.ends_with("mod.rs")).map(|path| shown(path)).collect();
    assert!(found.is_empty(), "name these `name.rs`, beside `name/`:\n{}", found.join("\n"));
}
