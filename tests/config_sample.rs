//! The shipped `conf/convened.toml` tells the truth about keys and defaults.

use std::collections::BTreeSet;
use std::path::Path;

use convened::config::{Config, Environment, Node, Secret};

fn sample() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/convened.toml");
    std::fs::read_to_string(file).unwrap()
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("conf.toml"), &Environment::empty())
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The text with the lines that `uncomment` knows as settings made real.
fn uncommented(text: &str, uncomment: impl Fn(&str) -> Option<&str>) -> String {
    text.lines()
        .map(|line| uncomment(line).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// `#key = value`: a built-in default. Prose has a space after the mark.
fn default_line(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// `## key = value`: an example of a key without a default.
fn example_line(line: &str) -> Option<&str> {
    line.strip_prefix("## ")
}

fn default_with_the_sample_node() -> Config {
    Config { node: vec![Node::new("fs1", "127.0.0.1:8021", Secret::new("ClueCon"))], ..Config::default() }
}

#[test]
fn the_shipped_file_loads_and_changes_nothing_but_the_node() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/convened.toml");
    let config = Config::load(&file, &Environment::empty()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config, default_with_the_sample_node());
}

#[test]
fn every_commented_default_is_the_built_in_one() {
    let text = uncommented(&sample(), default_line);
    assert!(text.contains("\nlisten = ") && text.contains("\nformat = "), "defaults were uncommented");
    assert_eq!(parse(&text), default_with_the_sample_node());
}

#[test]
fn every_example_of_a_key_without_default_has_the_right_type() {
    let config = parse(&uncommented(&sample(), example_line));
    assert!(config.conference.default_account.is_some());
    assert!(config.node[0].password_file.is_some() && config.node[0].user.is_some());
}

/// The keys of a section as serde's refusal of an unknown one lists them.
fn known_keys(section: &str) -> BTreeSet<String> {
    let text = match section {
        "" => "no_such_key = 1".to_owned(),
        "node" => "[[node]]\nno_such_key = 1".to_owned(),
        section => format!("[{section}]\nno_such_key = 1"),
    };
    let error = Config::parse(&text, Path::new("conf.toml"), &Environment::empty()).unwrap_err().to_string();
    let (_, listed) = error.split_once(", expected ").unwrap_or_else(|| panic!("{error}"));
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_every_section_is_in_the_shipped_file_and_explained() {
    let text = uncommented(&uncommented(&sample(), default_line), example_line);
    let table: toml_keys::Table = toml_keys::read(&text);
    let sections = known_keys("");
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), sections);
    for section in &sections {
        assert_eq!(table[section], known_keys(section), "[{section}]");
    }
}

#[test]
fn every_setting_follows_a_comment() {
    let text = sample();
    let mut before = "";
    for line in text.lines() {
        let setting = default_line(line).or(example_line(line)).unwrap_or(line);
        if setting.contains(" = ") && !setting.starts_with('#') {
            let explained = before.starts_with("# ") || before.starts_with("#reconnect_min_ms");
            assert!(explained, "`{line}` comes after `{before}`");
        }
        before = line;
    }
}

/// Section and key names of a TOML text of one level, read without the code under test.
mod toml_keys {
    use std::collections::{BTreeMap, BTreeSet};

    pub(crate) type Table = BTreeMap<String, BTreeSet<String>>;

    pub(crate) fn read(text: &str) -> Table {
        let mut table = Table::new();
        let mut section = String::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
                table.entry(section.clone()).or_default();
            } else if let Some((key, _)) = line.split_once(" = ") {
                let is_new = table.get_mut(&section).expect("a key has a section").insert(key.to_owned());
                assert!(is_new, "{section}.{key} stands twice");
            }
        }
        table
    }
}

#[test]
fn what_the_readme_shows_of_a_configuration_is_one() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let mut config = parse(block);
        // The file is the reader's.
        config.database.password_file = None;
        assert!(config.check().is_empty(), "{block}: {:?}", config.check());
    }
}
