//! The rules of ARCHITECTURE.md and of the house, checked: who imports whom, where SQL and Redis keys stand, how
//! folders, modules, errors and words look.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod circles;
mod errors;
mod folders;
mod source;
mod threats;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use source::{root, visit};

/// Returns the workspace crates that the crate in `folder` depends on, without dependencies of its tests.
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
        assert_eq!(imports(service), set(&["schema", "service", "transparency"]), "{service}");
    }
    assert_eq!(imports("canary"), set(&["schema", "service"]));
}

#[test]
fn the_lowest_crates_import_no_other_crate_of_the_workspace() {
    assert_eq!(imports("service"), set(&[]));
    assert_eq!(imports("schema"), set(&[]));
    assert_eq!(imports("transparency"), set(&["schema"]));
}

#[test]
fn the_load_tester_knows_the_definitions_and_no_service() {
    assert_eq!(imports("loadtest"), set(&["schema"]));
}

#[test]
fn the_hosts_service_calls_the_operations_of_votectl_and_no_service() {
    assert_eq!(imports("host"), set(&["schema", "service", "votectl"]));
}

#[test]
fn votectl_knows_what_the_parts_agree_on_and_no_service() {
    assert_eq!(imports("votectl"), set(&["schema", "service", "transparency"]));
}

#[test]
fn producer_needs_no_postgres_and_dashboard_no_redis() {
    let manifest =
        |folder: &str| std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    assert!(!manifest("producer").contains("tokio-postgres"));
    assert!(!manifest("canary").contains("postgres") && !manifest("canary").contains("redis"));
    let dashboard: toml::Table = manifest("dashboard").parse().unwrap();
    assert!(!dashboard["dependencies"].as_table().unwrap().contains_key("redis"));
}

/// The folders of programs that are deployed. Programs that break, measure or test them may hold SQL and key names.
const DEPLOYED: [&str; 11] = [
    "schema",
    "transparency",
    "service",
    "producer",
    "consumer",
    "dashboard",
    "host",
    "canary",
    "votectl",
    "standalone",
    "loadtest",
];

/// Calls `with` for every quoted text in the code of these programs, with the name of its file.
fn quoted(extension: &str, with: &mut impl FnMut(&Path, &str)) {
    let (comment, quotes) = match extension {
        "lua" => ("--", ['"', '\'']),
        _ => ("//", ['"', '"']),
    };
    for folder in DEPLOYED {
        visit(&root().join(folder).join("src"), extension, &mut |path, text| {
            let name = path.strip_prefix(root()).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with(comment));
            for line in code {
                line.split(quotes).skip(1).step_by(2).for_each(|piece| with(name, piece));
            }
        });
    }
}

#[test]
fn redis_keys_are_named_in_one_module_only() {
    const KEYS: &str = "schema/src/keys.rs";
    let text = std::fs::read_to_string(root().join(KEYS)).unwrap();
    // The table in the head of that file lists the keys, and fields that are counted beside the ballots.
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let names: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().replace("{votes:K}:", "").replace("votes:", ""))
        .map(|name| name.split(':').next().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 9 && names.contains("stream") && names.contains("meta"), "{names:?}");
    // Every key that the code makes is in the table.
    for made in text.split("self.of(partition, \"").skip(1) {
        assert!(names.contains(made.split('"').next().unwrap()), "not in the table: {made:.20}");
    }
    let mut found = Vec::new();
    let mut look = |path: &Path, piece: &str| {
        let is_key = piece.match_indices(':').any(|(at, _)| {
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(':');
            names.iter().any(|name| piece[at + 1..].strip_prefix(name.as_str()).is_some_and(ends))
        });
        let is_field = piece == "removed" || piece.starts_with("dropped:");
        if (is_key || is_field) && path != Path::new(KEYS) {
            found.push(format!("{}: {piece}", path.display()));
        }
    };
    quoted("rs", &mut look);
    quoted("lua", &mut look);
    assert!(found.is_empty(), "{found:#?}");
}

/// The modules that query Postgres, with SQL in their own text or in a folder `sql/` beside it.
const SQL: [&str; 41] = [
    "consumer/src/jobs/accounts.rs",
    "consumer/src/jobs/auditor.rs",
    "consumer/src/pipeline/store.rs",
    "consumer/src/jobs/code_repair.rs",
    "consumer/src/jobs/sealer.rs",
    "consumer/src/jobs/sealer/growth.rs",
    "consumer/src/jobs/server_capacity.rs",
    "consumer/src/jobs/witnesses.rs",
    "consumer/src/pipeline/log_queue.rs",
    "dashboard/src/feed.rs",
    "dashboard/src/history.rs",
    "loadtest/src/audit/database.rs",
    "schema/src/db/accounts.rs",
    "schema/src/db/audit_trail.rs",
    "schema/src/db/epoch.rs",
    "schema/src/db/locks.rs",
    "schema/src/db/log.rs",
    "schema/src/db/migrations.rs",
    "schema/src/db/organisers.rs",
    "schema/src/db/poll_changes.rs",
    "schema/src/db/polls.rs",
    "schema/src/db/positions.rs",
    "schema/src/db/results.rs",
    "schema/src/db/secrets.rs",
    "schema/src/db/watermarks.rs",
    "schema/src/poll_copy.rs",
    "schema/src/register_contents.rs",
    "schema/src/register_contents/repair.rs",
    "service/src/postgres/session.rs",
    "standalone/src/servers/postgres/roles.rs",
    "standalone/src/supervisor/database.rs",
    "votectl/src/operations/audit.rs",
    "votectl/src/operations/audit/recount.rs",
    "votectl/src/operations/codes.rs",
    "votectl/src/operations/migrate.rs",
    "votectl/src/operations/polls/erase.rs",
    "votectl/src/operations/polls/export.rs",
    "votectl/src/operations/polls/seal.rs",
    "votectl/src/operations/polls/settled.rs",
    "votectl/src/operations/resync.rs",
    "votectl/src/servers/supported.rs",
];

#[test]
fn sql_stands_where_postgres_is_asked_and_nowhere_else() {
    let statements = [
        "SELECT",
        "INSERT INTO",
        "UPDATE",
        "DELETE FROM",
        "WITH",
        "CREATE",
        "ALTER",
        "DROP",
        "SET",
        "BEGIN;",
        "LOCK",
        "COPY",
        "TRUNCATE",
        "GRANT",
        "REVOKE",
    ];
    let mut found = BTreeSet::new();
    quoted("rs", &mut |path, piece| {
        let begins = |word: &&str| {
            piece.trim_start().strip_prefix(*word).is_some_and(|rest| rest.starts_with(' '))
        };
        if piece.ends_with(".sql") || statements.iter().any(begins) {
            found.insert(path.display().to_string());
        }
    });
    assert_eq!(found, set(&SQL));
}

/// A pooler may run each transaction in another session of the server, where a statement with a name does not exist.
#[test]
fn no_statement_has_a_name() {
    let named = ["query", "query_one", "query_opt", "query_raw", "execute", "prepare", "copy_in"];
    let ours = ["consumer/", "dashboard/", "schema/", "service/", "votectl/"];
    for path in SQL.iter().filter(|path| ours.iter().any(|part| path.starts_with(part))) {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in named {
            assert!(!code.contains(&format!(".{call}(")), "{path}: `{call}`; use `{call}_typed`");
        }
    }
}

#[test]
fn every_decision_is_listed_in_architecture() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let folder = std::fs::read_dir(root().join("docs/adr")).unwrap();
    for name in folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let number = name[..4].trim_start_matches('0');
        let listed = text.split(&format!("[{number} ")).any(|after| {
            after
                .split_once("](")
                .is_some_and(|(_, link)| link.starts_with(&format!("docs/adr/{name})")))
        });
        assert!(listed, "{name}");
    }
}

#[test]
fn the_page_on_the_architecture_is_short_enough_to_be_read() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() < 150, "move details to docs/");
}

/// Files that may hold unsafe code, each with its reason. No file does.
const UNSAFE_WITH_REASON: [(&str, &str); 0] = [];

#[test]
fn every_crate_is_held_to_the_lints_of_the_workspace() {
    let manifest = |path: &Path| -> toml::Table {
        std::fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap()
    };
    let workspace = manifest(&root())["workspace"].as_table().unwrap().clone();
    assert_eq!(workspace["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let members = workspace["members"].as_array().unwrap().iter();
    let members: BTreeSet<PathBuf> =
        members.map(|member| root().join(member.as_str().unwrap())).collect();
    let mut crates = 0;
    visit(&root(), "toml", &mut |path, text| {
        if path.file_name().is_none_or(|name| name != "Cargo.toml") || !text.contains("[package]") {
            return;
        }
        crates += 1;
        let folder = path.parent().unwrap();
        let lints = manifest(folder).get("lints").cloned().unwrap_or(toml::Value::Integer(0));
        if members.contains(folder) {
            let inherits = lints.get("workspace").and_then(toml::Value::as_bool);
            assert_eq!(inherits, Some(true), "{}: [lints] workspace = true", path.display());
        } else {
            // A crate that is its own workspace cannot inherit the lints.
            let own = lints.get("rust").and_then(|rust| rust.get("unsafe_code"));
            let forbids = own.and_then(toml::Value::as_str) == Some("forbid");
            assert!(forbids, "{}: [lints.rust] unsafe_code = \"forbid\"", path.display());
        }
    });
    assert!(crates >= members.len(), "{crates} crates found");
}

#[test]
fn unsafe_code_stands_only_where_a_reason_is_given() {
    let mut files = 0;
    visit(&root(), "rs", &mut |path, text| {
        files += 1;
        let name = path.strip_prefix(root()).unwrap();
        let has_reason = UNSAFE_WITH_REASON.iter().any(|(file, _)| Path::new(file) == name);
        // The word is put together from two parts, or the test would find this file.
        let word = concat!("un", "safe");
        let starts = ["{", "fn ", "impl ", "trait ", "extern ", "("];
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let found = code
            .flat_map(|line| line.split(word).skip(1))
            .any(|after| starts.iter().any(|start| after.trim_start().starts_with(start)));
        assert!(!found || has_reason, "{}: a file with a reason, or none", name.display());
    });
    assert!(files > 100, "{files}");
}

#[test]
fn main_is_a_page() {
    for folder in
        ["producer", "consumer", "dashboard", "votectl", "standalone", "loadtest", "chaos"]
    {
        let text = std::fs::read_to_string(root().join(folder).join("src/main.rs")).unwrap();
        assert!(text.lines().count() <= 80, "{folder}/src/main.rs");
    }
}
