//! The systemd unit: systemd understands all of it, and lets the daemon do little.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn shipped(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    std::fs::read_to_string(file).expect("it is shipped")
}

/// The unit with the program that was built, in a folder of its own.
fn unit(change: impl Fn(String) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("convened.service");
    let text = shipped("convened.service").replace("/usr/bin/convened", env!("CARGO_BIN_EXE_convened"));
    std::fs::write(&file, change(text)).expect("written");
    (folder, file)
}

/// Runs a program of systemd, which `tests/run.sh` installs.
fn run(program: &str, arguments: &[&str]) -> Output {
    let ran = Command::new(program).args(arguments).output();
    ran.unwrap_or_else(|error| panic!("{program}: {error} (Debian's package systemd has it)"))
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn verified(file: &Path) -> Output {
    run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", &file.to_string_lossy()])
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let (_folder, file) = unit(|text| text);
    let output = verified(&file);
    assert!(output.status.success() && words(&output).is_empty(), "{}", words(&output));
    let (_folder, file) = unit(|text| text.replace("ProtectHome=", "ProtectHomes="));
    assert!(words(&verified(&file)).contains("ProtectHomes"), "a mistake would be told");
}

#[test]
fn the_unit_is_exposed_by_no_more_than_1_5() {
    let (_folder, file) = unit(|text| text);
    let arguments = ["security", "--offline=true", "--threshold=15", "--no-pager", &file.to_string_lossy()];
    let output = run("systemd-analyze", &arguments);
    assert!(output.status.success(), "{}", words(&output));
}

/// The values of a key, in order.
fn values(unit: &str, key: &str) -> Vec<String> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_unit_are_those_of_the_program() {
    let unit = shipped("convened.service");
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("convened.toml");
    std::fs::write(&broken, "[api]\nlisten = \"nowhere\"\n").expect("written");
    let before = values(&unit, "ExecStartPre").remove(0);
    assert!(
        before.starts_with('-'),
        "systemd would start it again and again: it heeds the code of ExecStart only"
    );
    let reload = values(&unit, "ExecReload").into_iter().find(|command| command.contains("check-config"));
    for command in [before, values(&unit, "ExecStart").remove(0), reload.expect("a reload checks first")] {
        let command = command.replace("/etc/convened/convened.toml", &broken.to_string_lossy());
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        let output = run(env!("CARGO_BIN_EXE_convened"), &arguments);
        // The configuration is what is wrong, and not the command line.
        let code = output.status.code().expect("a code").to_string();
        assert_eq!(values(&unit, "RestartPreventExitStatus"), [code], "{}", words(&output));
    }
}

#[test]
fn why_it_does_not_start_is_an_error_in_the_journal() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stream");
    for (is_journal, beginning) in [(true, "<3>convened: "), (false, "convened: ")] {
        let stream = std::fs::File::create(&path).expect("made");
        let named = stream.metadata().expect("looked at");
        let inode = named.ino() + u64::from(!is_journal);
        let ran = Command::new(env!("CARGO_BIN_EXE_convened"))
            .args(["run", "--config", "/no/such/file"])
            .env("JOURNAL_STREAM", format!("{}:{inode}", named.dev()))
            .stderr(stream)
            .status();
        assert!(!ran.expect("it ran").success());
        let said = std::fs::read_to_string(&path).expect("said");
        assert!(said.starts_with(beginning), "{said}");
    }
}

#[test]
fn user_and_directories_are_made_as_the_unit_needs_them() {
    let unit = shipped("convened.service");
    let root = tempfile::tempdir().expect("a folder");
    let into = format!("--root={}", root.path().display());
    for (directory, name) in [("sysusers.d", "convened.sysusers"), ("tmpfiles.d", "convened.tmpfiles")] {
        let directory = root.path().join("usr/lib").join(directory);
        std::fs::create_dir_all(&directory).expect("made");
        std::fs::write(directory.join("convened.conf"), shipped(name)).expect("written");
    }
    std::fs::create_dir(root.path().join("etc")).expect("made");
    let output = run("systemd-sysusers", &[&into]);
    assert!(output.status.success(), "{}", words(&output));
    let users = std::fs::read_to_string(root.path().join("etc/passwd")).expect("users");
    let user = values(&unit, "User").remove(0);
    assert!(users.lines().any(|line| line.starts_with(&format!("{user}:"))), "{users}");
    let output = run("systemd-tmpfiles", &[&into, "--create"]);
    assert!(output.status.success(), "{}", words(&output));
    let loaded = values(&unit, "LoadCredential").remove(0);
    let (_, directory) = loaded.split_once(':').expect("an id and a directory");
    let made = root.path().join(directory.trim_start_matches('/'));
    let mode = std::os::unix::fs::PermissionsExt::mode(&made.metadata().expect("it is made").permissions());
    assert_eq!(mode & 0o777, 0o700, "only root may look");
}
