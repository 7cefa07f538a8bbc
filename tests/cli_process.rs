//! The program as scripts and service managers see it: exit codes, standard output and error.

use std::path::Path;
use std::process::{Command, Output};

fn convened(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convened"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CONVENED__")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file with this content; the directory goes with the first of the pair.
fn file(content: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("conf.toml");
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn check_config_says_ok_and_exits_0() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/convened.toml");
    let output = convened(&["check-config", sample.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("{}: ok (nodes: fs1)\n", sample.display()));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn check_config_tells_every_problem_on_a_line_of_its_own_and_exits_78() {
    let (_directory, path) = file("[api]\nmax_connections = 0\n[log]\nlevel = \"lots\"\n");
    let output = convened(&["check-config", &path], &[("CONVENED__API__IDLE_TIMEOUT_S", "0")]);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    let lines: Vec<String> = text(&output.stderr).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with(&format!("convened: {path}: api.max_connections: ")), "{}", lines[0]);
    assert!(
        lines[1].starts_with("convened: CONVENED__API__IDLE_TIMEOUT_S: api.idle_timeout_s: "),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with(&format!("convened: {path}: log.level: ")), "{}", lines[2]);
}

#[test]
fn check_config_remarks_upon_a_file_without_nodes_and_accepts_it() {
    let (_directory, path) = file("");
    let output = convened(&["check-config", &path], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("remark: no [[node]]"), "{}", text(&output.stderr));
}

#[test]
fn every_command_that_reads_a_missing_file_names_it_and_exits_78() {
    for arguments in [
        &["check-config", "no/such.toml"][..],
        &["run", "--config", "no/such.toml"],
        &["token", "list", "--config", "no/such.toml"],
        &["token", "create", "--config", "no/such.toml", "--superuser"],
        &["key", "list", "--config", "no/such.toml"],
        &["migrate", "--config", "no/such.toml"],
        &["export", "--config", "no/such.toml"],
        &["import", "--config", "no/such.toml"],
    ] {
        let output = convened(arguments, &[]);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with("convened: no/such.toml: cannot be read: "),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn an_unknown_variable_stops_the_demo_too() {
    let output = convened(&["demo"], &[("CONVENED__API__LISTNE", "x")]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text(&output.stderr).starts_with("convened: CONVENED__API__LISTNE: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn wrong_arguments_exit_2_and_help_exits_0() {
    for arguments in [
        &[][..],
        &["fly"],
        &["check-config"],
        &["replay", "x"],
        &["token", "create"],
        &["key", "create"],
        &["export", "all.jsonl"],
        &["import", "one.jsonl", "two.jsonl"],
        &["demo", "--listen", "here"],
    ] {
        assert_eq!(convened(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["token", "create", "--help"], &["import", "--help"]]
    {
        let output = convened(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}
