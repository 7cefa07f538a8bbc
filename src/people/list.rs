//! `convened list`: the conferences of an account.

use serde_json::Value;

use super::output::{Output, Tone, count, span};
use super::table::Table;
use super::{api, told};
use crate::cli::{Failure, List};
use crate::client::Line;

/// Prints them all, whatever the number of pages: those that run first, by name.
pub(super) async fn run(list: List) -> Result<(), Failure> {
    let api = api(list.remote)?;
    let mut found = api.conferences(None).await.map_err(told(&api))?;
    if list.running {
        found.retain(|one| Line::of(one).is_running());
    }
    let output = Output::new();
    if list.json {
        return output.json(&Value::Array(found));
    }
    let mut lines: Vec<Line> = found.iter().map(Line::of).collect();
    // What runs is looked for most; the API's order is that of ids.
    lines.sort_by_cached_key(|line| (!line.is_running(), line.title().to_lowercase(), line.id.clone()));
    output.print(table(&lines).text(output))?;
    let running = lines.iter().filter(|line| line.is_running());
    let (running, people) =
        running.fold((0, 0), |(running, people), line| (running + 1, people + line.people()));
    let all = count(lines.len(), "conference");
    let sum = format!("{all}, {running} running, {}", count(people, "participant"));
    output.print(output.tone(Tone::Faint, sum)).map(drop)
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new(&["NAME", "PARTICIPANTS", "STATE", "FOR", "NODE", "ID"]);
    for line in lines {
        let (tone, state) = state(line);
        let of_running = |text: String| if line.is_running() { text } else { String::new() };
        let people = match line.moderators {
            0 => line.people().to_string(),
            moderators => format!("{} ({moderators} mod)", line.people()),
        };
        let node = match (&line.focus, line.instances.len()) {
            (Some(node), 2..) => format!("{node} +{}", line.instances.len() - 1),
            (node, _) => node.clone().unwrap_or_default(),
        };
        table.row(vec![
            (if line.is_running() { Tone::Strong } else { Tone::Plain }, line.title().into_owned()),
            (Tone::Plain, of_running(people)),
            (tone, state),
            (Tone::Plain, of_running(span(line.duration))),
            (Tone::Plain, node),
            (Tone::Faint, line.id.clone()),
        ]);
    }
    table
}

/// How it is, in a word or two.
pub(super) fn state(line: &Line) -> (Tone, String) {
    let words = [
        (line.is_running(), "running"),
        (line.is_locked, "locked"),
        (line.stale, "out of reach"),
        (line.ad_hoc, "ad hoc"),
    ];
    let words: Vec<_> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    let tone = match line {
        Line { stale: true, .. } => Tone::Bad,
        Line { is_locked: true, .. } => Tone::Odd,
        line if line.is_running() => Tone::Good,
        _ => Tone::Faint,
    };
    (tone, words.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_how_it_is() {
        let lines = [
            json!({"id": "a1", "name": "Board", "focus": "fs1", "instances": [{}, {}], "members": 2, "moderators": 1,
                "duration": 3_700, "is_locked": true}),
            json!({"id": "b2", "name": "Quiet", "members": 0, "moderators": 0}),
            json!({"id": "talk", "name": "talk", "ad_hoc": true, "focus": "fs2", "members": 1, "stale": true}),
        ];
        let lines: Vec<_> = lines.iter().map(Line::of).collect();
        let expected = "\
NAME   PARTICIPANTS  STATE                          FOR          NODE    ID
Board  3 (1 mod)     running, locked                1 h 01 min   fs1 +1  a1
Quiet                                                                    b2
talk   1             running, out of reach, ad hoc  0 s          fs2     talk";
        let text = table(&lines).text(Output::plain(None));
        let words = |text: &str| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
        };
        assert_eq!(words(&text), words(expected), "\n{text}");
    }
}
