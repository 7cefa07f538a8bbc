//! The documents for people: links lead somewhere, and what is quoted from the program is what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a directory and of those below it, as paths from the root.
fn files(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut wanted = vec![PathBuf::from(directory)];
    while let Some(directory) = wanted.pop() {
        for entry in std::fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => wanted.push(path),
                false => found.push(path.to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort_unstable();
    found
}

/// The documents that are text, with the README.
fn pages() -> BTreeMap<String, String> {
    let docs = files("docs").into_iter().filter(|path| path.ends_with(".md"));
    docs.chain(["README.md".to_owned()]).map(|path| (path.clone(), read(&path))).collect()
}

/// The lines of a page that are no code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands between code marks in a line.
fn marked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of a page's links.
fn links(page: &str) -> Vec<String> {
    let unmarked = prose(page).map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("`"));
    let mut found = Vec::new();
    for line in unmarked {
        found.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned));
    }
    found
}

/// The anchors of a page, as forges make them of its headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        prose(page).filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').zip(Some(line)));
    headings
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(text, _)| {
            let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
        })
        .collect()
}

#[test]
fn every_document_is_named_in_the_readme() {
    let linked: BTreeSet<String> = links(&read("README.md")).into_iter().collect();
    let missing: Vec<_> = files("docs").into_iter().filter(|path| !linked.contains(path)).collect();
    assert!(missing.is_empty(), "the README does not name {missing:?}");
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let (mut followed, mut headings) = (0, 0);
    for (page, text) in pages() {
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').map_or((&*link, None), |(file, at)| (file, Some(at)));
            let target = match file {
                "" => root().join(&page),
                file => root().join(&page).parent().unwrap().join(file),
            };
            assert!(target.is_file(), "{page}: {link}");
            followed += 1;
            if let Some(anchor) = anchor {
                let target = std::fs::read_to_string(&target).unwrap();
                assert!(anchors(&target).contains(anchor), "{page}: there is no heading {link}");
                headings += 1;
            }
        }
    }
    assert!(followed > 40 && headings > 10, "{followed} links, {headings} of them with a heading");
}

/// A section of the operations, without its heading.
fn operations(heading: &str) -> String {
    let page = read("docs/operations.md");
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn every_alert_has_a_paragraph_that_says_what_to_do() {
    let rules = read("conf/prometheus/convened.rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    let night = operations("At three in the morning");
    let told: Vec<&str> = night
        .split("\n\n")
        .filter_map(|paragraph| paragraph.trim().strip_prefix("**")?.split_once(".** "))
        .map(|(alert, what)| {
            assert!(what.len() > 100, "{alert}: {what}");
            alert
        })
        .collect();
    assert_eq!(told, alerts);
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The keys of the sample configuration, each with its section.
fn settings() -> BTreeSet<(String, String)> {
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in read("conf/convened.toml").lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_matches(['[', ']']).clone_into(&mut section);
        } else if let Some((key, _)) = line.trim_start_matches(['#', ' ']).split_once(" = ")
            && is_key(key)
            && !section.is_empty()
        {
            found.insert((section.clone(), key.to_owned()));
        }
    }
    found
}

#[test]
fn every_setting_that_a_document_names_is_in_the_sample() {
    let settings = settings();
    let sections: BTreeSet<&str> = settings.iter().map(|(section, _)| section.as_str()).collect();
    let mut named = 0;
    for (page, text) in pages() {
        for span in prose(&text).flat_map(marked) {
            let word = span.split([' ', '=']).next().unwrap();
            let Some((section, key)) = word.split_once('.') else { continue };
            if !sections.contains(section) || !is_key(key) {
                continue;
            }
            assert!(
                settings.contains(&(section.to_owned(), key.to_owned())),
                "{page}: there is no setting {word}"
            );
            named += 1;
        }
    }
    assert!(named > 100, "{named}");
}

/// The program's text without comments and tests, and with its strings in one piece.
fn program() -> String {
    let sources = files("src").into_iter().filter(|path| !path.starts_with("src/sim/"));
    let mut text = String::new();
    for path in sources.filter(|path| path.ends_with(".rs") && !path.ends_with("tests.rs")) {
        let source = read(&path);
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let mut is_continued = false;
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let line = if is_continued { line.trim_start() } else { line };
            is_continued = line.ends_with('\\');
            text.push_str(line.trim_end_matches('\\'));
            if !is_continued {
                text.push('\n');
            }
        }
    }
    text
}

#[test]
fn what_the_trouble_tables_quote_is_what_the_program_says() {
    let (program, trouble) = (program(), operations("Trouble"));
    let mut quoted = 0;
    for row in trouble.lines().filter_map(|line| line.strip_prefix("| ")) {
        for quote in marked(row.split(" | ").next().unwrap()) {
            quoted += 1;
            for piece in quote.split("...").map(str::trim).filter(|piece| piece.len() > 2) {
                assert!(program.contains(piece), "the program never says {piece:?}: {row}");
            }
        }
    }
    assert!(quoted > 50, "{quoted}");
}
