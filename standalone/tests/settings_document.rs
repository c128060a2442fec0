//! Checks that docs/SETTINGS.md equals the programs' own definitions of their flags and variables, and that the short
//! table in docs/CONFIGURATION.md agrees with them. `make docs` writes docs/SETTINGS.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command, CommandFactory};
use votestream_service::config::{PostgresArgs, RedisArgs};

const HEAD: &str = "# Settings

`make docs` writes this file from the programs' own definitions; a test fails when they differ.

Each setting is an environment variable and a flag of the same name (`LINGER_MS=20`, `--linger-ms 20`); the flag wins.
`--help` lists the same settings. A setting whose default is `false` is switched on by `true`. `--check-config` checks the
settings of a service without starting it.

`make up` passes its environment on to the services, except for addresses, passwords and the default poll, which it sets
itself. `make up PROFILE=dev` builds faster, and the programs run slower.

Traces are sent when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; the other `OTEL_` variables are as OpenTelemetry documents them.
";

/// The programs with the names that the documents give them.
fn programs() -> [(&'static str, Command); 7] {
    let votectl = PostgresArgs::augment_args(RedisArgs::augment_args(Command::new("votectl")));
    [
        ("producer", votestream_producer::Config::command()),
        ("consumer", votestream_consumer::Config::command()),
        ("dashboard", votestream_dashboard::Config::command()),
        ("host", votestream_host::Config::command()),
        ("canary", votestream_canary::Config::command()),
        ("votectl", votectl),
        ("make up", standalone::supervisor::Config::command()),
    ]
}

/// One setting of a program, which a flag or an environment variable sets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    variable: String,
    default: String,
    values: Vec<String>,
    help: String,
}

impl Setting {
    fn of(arg: &Arg) -> Self {
        let defaults = arg.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        let values = arg.get_possible_values();
        Self {
            variable: arg.get_env().unwrap_or_default().to_string_lossy().into_owned(),
            default: defaults.join(","),
            values: values.iter().map(|value| value.get_name().to_owned()).collect(),
            help: arg.get_help().unwrap_or_default().to_string(),
        }
    }

    fn row(&self) -> String {
        let Self { variable, default, values, help } = self;
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        let among = match values.as_slice() {
            [] => String::new(),
            switch if switch.iter().any(|value| value == "true") => String::new(),
            values => format!("; one of `{}`", values.join("`, `")),
        };
        format!("| `{variable}` | {} | {help}{among} |\n", code(default))
    }
}

/// The flags of a program and their settings, in the order of `--help`.
fn settings(program: &Command) -> Vec<(String, Setting)> {
    let flags = program.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)));
    // A hidden flag is an old name of a setting, which the document does not list.
    let flags =
        flags.filter(|(long, arg)| !arg.is_hide_set() && !["help", "version"].contains(long));
    flags.map(|(long, arg)| (long.to_owned(), Setting::of(arg))).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

#[test]
fn every_flag_is_also_a_variable() {
    for (name, mut program) in programs() {
        program.build();
        let settings = settings(&program);
        assert!(settings.len() > 8, "{name}");
        for (long, setting) in settings {
            assert_eq!(setting.variable, long.to_uppercase().replace('-', "_"), "{name}");
            assert!(!setting.help.is_empty(), "{name} --{long}");
        }
    }
}

#[test]
fn the_document_equals_the_programs_definitions() {
    // A setting that is the same in several programs is listed once.
    let mut order = Vec::new();
    let mut takers: BTreeMap<Setting, Vec<&str>> = BTreeMap::new();
    for (name, program) in programs() {
        for (_, setting) in settings(&program) {
            takers.entry(setting.clone()).or_default().push(name);
            order.push(setting);
        }
    }
    let mut sections: Vec<(Vec<&str>, String)> = Vec::new();
    for setting in order {
        let Some(names) = takers.remove(&setting) else { continue };
        let row = setting.row();
        match sections.iter_mut().find(|(found, _)| *found == names) {
            Some((_, rows)) => *rows += &row,
            None => sections.push((names, row)),
        }
    }
    sections.sort_by_key(|(names, _)| std::cmp::Reverse(names.len()));
    let mut text = HEAD.to_owned();
    for (names, rows) in sections {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        text += &format!(
            "\n## {}\n\n| variable | default | meaning |\n|---|---|---|\n",
            names.join(", ")
        );
        text += &rows;
    }
    let path = file("docs/SETTINGS.md");
    if std::env::var_os("WRITE_GENERATED").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/SETTINGS.md differs from the programs; `make docs` writes it");
}

#[test]
fn the_short_table_of_settings_is_true() {
    let programs: BTreeMap<&str, Vec<(String, Setting)>> =
        programs().into_iter().map(|(name, program)| (name, settings(&program))).collect();
    let page = std::fs::read_to_string(file("docs/CONFIGURATION.md")).unwrap();
    let (_, section) = page.split_once("\n## Settings\n").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
    let rows: Vec<&str> = rows.skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let [_, names, variables, defaults, ..] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let mut defaults = defaults.split_whitespace();
        let variables: Vec<&str> = variables.split('`').skip(1).step_by(2).collect();
        assert!(!variables.is_empty(), "{row}");
        for variable in variables.into_iter().filter(|name| !name.starts_with("OTEL_")) {
            let default = defaults.next();
            let names = match names.trim() {
                "all" => "producer, consumer, dashboard",
                names => names.trim_matches('`'),
            };
            for name in names.split(", ") {
                let known = programs.get(name).unwrap_or_else(|| panic!("{name}: {row}"));
                let known = known.iter().find(|(_, setting)| setting.variable == variable);
                let (_, known) = known.unwrap_or_else(|| panic!("{name} has no {variable}"));
                if let Some(default) = default {
                    assert_eq!(default, known.default, "{name} {variable}");
                }
            }
        }
        assert_eq!(defaults.next(), None, "the row has a default without a variable: {row}");
    }
}
