//! The dependency rule of ARCHITECTURE.md, held.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates of ours that `folder` may be built with; those that tests alone use do not count.
fn imports(folder: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    let ours = dependencies.keys().filter_map(|name| name.strip_prefix("votestream-"));
    ours.map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn services_meet_only_in_redis_postgres_and_http() {
    for service in ["producer", "consumer", "dashboard"] {
        assert_eq!(imports(service), set(&["schema", "service"]), "{service}");
    }
}

#[test]
fn what_stands_at_the_bottom_imports_nothing_of_ours() {
    assert_eq!(imports("service"), set(&[]));
    // votectl, behind a feature that services leave off, starts as they do.
    assert_eq!(imports("schema"), set(&["service"]));
    let manifest = std::fs::read_to_string(root().join("schema/Cargo.toml")).unwrap();
    assert!(manifest.contains("votestream-service = { workspace = true, optional = true }"));
}

#[test]
fn producer_needs_no_postgres_and_dashboard_no_redis() {
    let manifest =
        |folder: &str| std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    assert!(!manifest("producer").contains("tokio-postgres"));
    let dashboard: toml::Table = manifest("dashboard").parse().unwrap();
    assert!(!dashboard["dependencies"].as_table().unwrap().contains_key("redis"));
}

#[test]
fn redis_keys_are_named_in_one_module_only() {
    let mut found = Vec::new();
    visit(&root(), &mut |path, text| {
        let names_key = text.contains("}}:stream") || text.contains("}:stream\"");
        if names_key && !path.ends_with("schema/src/keys.rs") && !is_test(path) {
            found.push(path.to_owned());
        }
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn main_is_a_page() {
    for folder in ["producer", "consumer", "dashboard", "standalone", "loadtest", "chaos"] {
        let text = std::fs::read_to_string(root().join(folder).join("src/main.rs")).unwrap();
        assert!(text.lines().count() <= 80, "{folder}/src/main.rs");
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}

fn visit(folder: &Path, with: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && !["target", ".git", ".data", "node_modules"].iter().any(|n| name == *n)
        {
            visit(&path, with);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            with(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
