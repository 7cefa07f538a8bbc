//! `docs/cli.md`: its examples are run as they stand there, and what is shown below them is what they print.

use std::path::Path;

use convened::cli::Args;

use crate::desk::Desk;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md")).expect("the page")
}

/// The lines of the blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = page();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// The arguments of a line of a shell that needs no quotes, up to where its output goes.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let arguments = line.trim_start_matches("$ ").strip_prefix("convened ")?;
    Some(arguments.split_whitespace().take_while(|word| !matches!(*word, ">" | "#" | "&&")).collect())
}

/// Whether a line is as shown; `...` is anything, and blanks are as many as they are.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (line, shown) = (joined(line), joined(shown));
    let mut parts = shown.split("...").map(str::trim);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    rest.is_empty() || (shown.contains("...") && (last.is_empty() || line.ends_with(last)))
}

#[tokio::test]
async fn the_examples_print_what_is_shown() {
    let desk = Desk::new().await;
    let (id, _) = desk.board().await;
    desk.room("Quiet").await;
    let lines = blocks("console");
    let mut examples: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in &lines {
        match (line.strip_prefix("$ "), examples.last_mut()) {
            (Some(_), _) => examples.push((line, Vec::new())),
            (None, Some((_, shown))) => shown.push(line),
            (None, None) => panic!("nothing prints {line:?}"),
        }
    }
    assert!(examples.len() >= 10, "{examples:#?}");
    for (line, shown) in examples {
        let arguments = arguments(line).expect("a command");
        if arguments[0] == "watch" {
            let watch = desk.start(&arguments);
            watch.out.until(|line| is_as_shown(line, shown[0])).await;
            desk.owner.act(&format!("conferences/{id}/participants/2"), "mute").await.ok();
            watch.out.until(|line| is_as_shown(line, shown[1])).await;
            continue;
        }
        let printed = desk.run(&arguments).await.ok();
        let mut printed = printed.lines();
        for shown in shown {
            let found = printed.next().unwrap_or_default();
            // The rest may be long.
            if shown == "..." {
                break;
            }
            assert!(is_as_shown(found, shown), "{line}\nshown: {shown}\nfound: {found}");
        }
    }
}

#[test]
fn other_commands_that_are_shown_can_be_given() {
    use clap::Parser;
    let mut count = 0;
    for line in blocks("sh") {
        let Some(arguments) = arguments(&line) else { continue };
        let given = std::iter::once("convened").chain(arguments);
        Args::try_parse_from(given).unwrap_or_else(|error| panic!("{line}: {error}"));
        count += 1;
    }
    assert!(count >= 5, "{count} commands");
}

#[test]
fn every_exit_code_and_command_is_told_of() {
    use clap::CommandFactory;
    use convened::cli::Failure;
    let page = page();
    for code in [0, 1, Failure::USAGE, Failure::NOT_FOUND, Failure::UNAVAILABLE, Failure::CONFIG] {
        assert!(page.contains(&format!("\n| {code} | ")), "{code}");
    }
    for command in Args::command().get_subcommands() {
        let is_for_people = command.get_arguments().any(|argument| argument.get_id() == "url");
        let is_told_of =
            ["", "convened "].iter().any(|with| page.contains(&format!("`{with}{}`", command.get_name())));
        assert!(!is_for_people || is_told_of, "{}", command.get_name());
    }
    // And what is shown of lines is looked at at all.
    for (line, shown, is) in [
        ("a  b c", "a b c", true),
        ("a x c", "a ... c", true),
        ("a x d", "a ... c", false),
        ("a b", "a", false),
        ("a b", "b...", false),
        ("a b", "a...", true),
    ] {
        assert_eq!(is_as_shown(line, shown), is, "{line:?} {shown:?}");
    }
}
