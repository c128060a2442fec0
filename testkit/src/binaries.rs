//! Finds the workspace's programs for tests that start them, and builds those that are out of date.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

/// Returns the folder of the built programs, `target/debug` as a rule: the one that holds the running test.
///
/// # Panics
/// Panics if the test does not run from cargo's target folder.
#[must_use]
pub fn binaries() -> PathBuf {
    let test = env::current_exe().expect("a process knows its program");
    let folder = test.parent().expect("a program lies in a folder");
    let is_test = folder.file_name().is_some_and(|name| name == "deps");
    let folder = if is_test { folder.parent().expect("deps lies in a folder") } else { folder };
    folder.to_owned()
}

/// The variable that names a folder of programs which are up to date already, so that this module builds nothing.
/// `make test` sets it after it has built them.
const READY_BUILT: &str = "TESTKIT_BINARIES";

/// Returns the path of a program of the workspace (`producer`, `votectl`, …). Builds the program first, once in a
/// test process, with the profile of the test itself.
///
/// # Panics
/// Panics if the program does not build.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<HashMap<String, PathBuf>>> = OnceLock::new();
    // A build that failed for another test fails for this one too.
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(|e| e.into_inner());
    built.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    if let Some(folder) = env::var_os(READY_BUILT) {
        let program = Path::new(&folder).join(name);
        assert!(program.is_file(), "{READY_BUILT} is set, and holds no {}", program.display());
        return program;
    }
    let folder = binaries();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = folder.parent().expect("the profile's folder lies in the target folder");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate's parent");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .current_dir(workspace)
        .args(["build", "--quiet", "--bin", name, "--profile", profile, "--target-dir"])
        .arg(target);
    forget_package(&mut build);
    let output = build.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo could not build {name}:\n{said}");
    folder.join(name)
}

/// Removes the variables with which cargo tells a test to which package it belongs, for a cargo that the test starts. A build script that
/// reads them (that of `ring` does) would run again, and all that depends on it would be compiled again, now and after the test.
pub fn forget_package(command: &mut Command) {
    let is_of_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|it| name.starts_with(it))
    };
    for (name, _) in env::vars().filter(|(name, _)| is_of_package(name)) {
        command.env_remove(name);
    }
}
