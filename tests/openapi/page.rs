//! `docs/api.md`, made of the OpenAPI document.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

const HEAD: &str =
    "<!-- Made of the OpenAPI document: CONVENED_RENEW=1 cargo test --test openapi reference -->

# API reference
";

const EXAMPLES: &str = "In the examples `H` is where the daemon listens (`http://127.0.0.1:8000`), `T` a token, `A` the account, `C` a
conference, `P` a participant, `R` the document's revision. The same for programs, with every schema: `GET /v2/openapi.json`.
";

/// The methods in the order of the page.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    item: &'a Value,
    about: &'a Value,
}

pub(crate) fn page(document: &Value) -> String {
    let mut page = String::from(HEAD);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let _ = write!(page, "\n{}\n\n{EXAMPLES}", wrapped(&text(&document["info"]["description"])));
    let all = operations(document);
    contents(&mut page, document, &all);
    let common = common(&all);
    refusals(&mut page, document, &common);
    for tag in document["tags"].as_array().into_iter().flatten() {
        let _ = write!(page, "\n## {}\n\n{}\n", text(&tag["name"]), wrapped(&text(&tag["description"])));
        for operation in all.iter().filter(|operation| operation.about["tags"][0] == tag["name"]) {
            operation.write(&mut page, document, &common);
        }
    }
    page
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let items = document["paths"].as_object().into_iter().flatten();
    let all = items.flat_map(|(path, item)| {
        METHODS
            .iter()
            .filter_map(move |method| Some(Operation { method, path, item, about: item.get(method)? }))
    });
    all.collect()
}

/// The statuses that every operation may answer.
fn common(all: &[Operation<'_>]) -> BTreeSet<String> {
    let statuses = |operation: &Operation<'_>| -> BTreeSet<String> {
        operation.about["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(status, _)| status.clone())
            .collect()
    };
    let mut all = all.iter().map(statuses);
    let first = all.next().unwrap_or_default();
    all.fold(first, |common, these| common.intersection(&these).cloned().collect())
}

fn contents(page: &mut String, document: &Value, all: &[Operation<'_>]) {
    page.push_str("\n| request | | who may |\n|---|---|---|\n");
    for tag in document["tags"].as_array().into_iter().flatten() {
        for operation in all.iter().filter(|operation| operation.about["tags"][0] == tag["name"]) {
            let summary = operation.summary();
            let anchor: String = summary
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '-' => Some(c),
                    _ => None,
                })
                .collect();
            let who = operation.who();
            let _ = writeln!(page, "| `{}` | [{summary}](#{anchor}) | {who} |", operation.line());
        }
    }
}

fn refusals(page: &mut String, document: &Value, common: &BTreeSet<String>) {
    page.push_str(
        "\n## Refusals\n\nA refusal has its status in `error` and a word for it in `message`. Any request may be answered\n",
    );
    let all: Vec<_> = common.iter().map(String::as_str).collect();
    let _ = write!(
        page,
        "{}; the others are told with each request. A path that has no such method is 405 `method_not_allowed`, with `Allow`.\n\n| status | `message` | |\n|---|---|---|\n",
        all.join(", ")
    );
    for (status, response) in document["components"]["responses"].as_object().into_iter().flatten() {
        let words =
            &response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["message"]["enum"];
        let words = words.as_array().into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
        let about = response["description"].as_str().unwrap_or_default();
        let _ = writeln!(page, "| {status} | {} | {about} |", words.join(", "));
    }
    let example = &document["components"]["responses"]["404"]["content"]["application/json"]["example"];
    let _ = write!(page, "\n```json\n{}\n```\n", pretty(example, 0));
}

impl Operation<'_> {
    fn line(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn summary(&self) -> &str {
        self.about["summary"].as_str().unwrap_or_default()
    }

    fn who(&self) -> String {
        let ways = self.about["security"].as_array().map_or(&[][..], Vec::as_slice);
        let is_optional =
            ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(|way| way.is_empty()));
        let scopes = ways.iter().find_map(|way| way["token"].as_array());
        let scopes: Vec<_> = scopes.into_iter().flatten().filter_map(Value::as_str).collect();
        match (is_optional, scopes.as_slice()) {
            (true, []) => "everybody".into(),
            (true, _) => "by address, or a superuser".into(),
            (false, ["superuser"]) => "a superuser".into(),
            (false, scopes) => {
                scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" and ")
            }
        }
    }

    fn write(&self, page: &mut String, document: &Value, common: &BTreeSet<String>) {
        let _ = write!(page, "\n### {}\n\n`{}`: {}\n", self.summary(), self.line(), self.who());
        if let Some(description) = self.about["description"].as_str() {
            let _ = write!(page, "\n{}\n", wrapped(description));
        }
        self.parameters(page, document);
        let _ = write!(
            page,
            "{}",
            self.command().map(|line| format!("\n```sh\n{line}\n```\n")).unwrap_or_default()
        );
        self.more_requests(page);
        page.push_str("\n| answer | |\n|---|---|\n");
        let mut shown = None;
        for (status, answer) in self.about["responses"].as_object().into_iter().flatten() {
            let own = answer.get("$ref").is_none();
            if own {
                let headers =
                    answer["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
                let headers: Vec<_> = headers.filter(|name| !COMMON_HEADERS.contains(name)).collect();
                let with = headers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let with = if with.is_empty() { with } else { format!(" Headers: {with}.") };
                let about = answer["description"].as_str().unwrap_or_default();
                let _ = writeln!(page, "| {status} | {about}{with} |");
                let content = answer["content"].as_object().into_iter().flatten().next();
                shown = shown
                    .or_else(|| content.and_then(|(kind, content)| Some((kind, content.get("example")?))));
            }
        }
        let refused = self.about["responses"].as_object().into_iter().flatten();
        let refused =
            refused.filter(|(status, answer)| answer.get("$ref").is_some() && !common.contains(*status));
        let refused: Vec<_> = refused.map(|(status, _)| status.as_str()).collect();
        if !refused.is_empty() {
            let _ = writeln!(page, "| {} | [as everywhere](#refusals) |", refused.join(", "));
        }
        match shown {
            Some((kind, example)) if kind == "text/event-stream" => {
                let lines = ["id", "event", "data"]
                    .map(|key| format!("{key}: {}", example[key].as_str().unwrap_or_default()));
                let _ = write!(page, "\n```text\n{}\n```\n", lines.join("\n"));
            }
            Some((_, Value::String(text))) => drop(write!(page, "\n```text\n{}\n```\n", text.trim_end())),
            Some((_, example)) => drop(write!(page, "\n```json\n{}\n```\n", pretty(example, 0))),
            None => {}
        }
    }

    fn parameters(&self, page: &mut String, document: &Value) {
        let all = [&self.item["parameters"], &self.about["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten();
        let all = all.map(|parameter| match parameter["$ref"].as_str() {
            Some(target) => document.pointer(target.trim_start_matches('#')).unwrap_or(parameter),
            None => parameter,
        });
        let told = |parameter: &&Value| parameter["in"] != "path" && parameter["name"] != "X-Request-ID";
        let rows: Vec<_> = all
            .filter(told)
            .map(|parameter| {
                let default = parameter["schema"]
                    .get("default")
                    .map(|default| format!(" Default: {default}."))
                    .unwrap_or_default();
                let text = |key: &str| parameter[key].as_str().unwrap_or_default();
                format!("| `{}` | {} | {}{default} |\n", text("name"), text("in"), text("description"))
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(page, "\n| parameter | in | |\n|---|---|---|\n{}", rows.concat());
        }
    }

    fn examples(&self) -> impl Iterator<Item = (&String, &Value)> {
        let examples = self.about["requestBody"]["content"]["application/json"]["examples"].as_object();
        examples.into_iter().flatten().map(|(name, example)| (name, &example["value"]))
    }

    /// The first example as a command. A websocket is nothing for curl.
    fn command(&self) -> Option<String> {
        if self.about["responses"].get("101").is_some() {
            return None;
        }
        let path = ["A", "C", "P"].iter().fold(self.path.to_owned(), |path, name| {
            path.replace(&format!("{{{name}}}"), &format!("${name}"))
        });
        let path = path.replace("{S}", "participants.mute");
        let mut line = String::from("curl");
        if self.about["responses"]["200"]["content"].get("text/event-stream").is_some() {
            line.push_str(" -N");
        }
        if self.about["security"].as_array().is_some_and(|ways| !ways.is_empty()) {
            line.push_str(" -H \"X-Auth-Token: $T\"");
        }
        if self.method == "get" {
            return Some(format!("{line} \"$H{path}\""));
        }
        line = format!("{line} -X {} \"$H{path}\"", self.method.to_uppercase());
        if let Some((_, example)) = self.examples().next() {
            let body = if self.about["operationId"] == "api_auth" {
                "\"{\\\"data\\\": {\\\"api_key\\\": \\\"$KEY\\\"}}\"".to_owned()
            } else if self.method == "delete" {
                "\"{\\\"data\\\": {}, \\\"revision\\\": \\\"$R\\\"}\"".to_owned()
            } else {
                format!("'{}'", one_line(example))
            };
            line = format!("{line} \\\n  -d {body}");
        }
        Some(line)
    }

    /// What else may be sent.
    fn more_requests(&self, page: &mut String) {
        let more: Vec<_> = self.examples().skip(1).map(|(_, example)| one_line(example)).collect();
        if !more.is_empty() {
            let _ = write!(page, "\n```json\n{}\n```\n", more.join("\n"));
        }
    }
}

/// Headers of every answer.
const COMMON_HEADERS: [&str; 2] = ["X-Request-ID", "Cache-Control"];

/// JSON in one line, with spaces.
fn one_line(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let pairs = object.iter().map(|(key, value)| format!("\"{key}\": {}", one_line(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(array) => format!("[{}]", array.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// JSON in lines that can be read, with what is short in one.
fn pretty(value: &Value, depth: usize) -> String {
    let line = one_line(value);
    if depth > 0 && line.chars().count() + 2 * depth < 100 {
        return line;
    }
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Value::Object(object) => {
            let parts = object.iter().map(|(key, value)| format!("\"{key}\": {}", pretty(value, depth + 1)));
            ('{', '}', parts.collect())
        }
        Value::Array(array) => ('[', ']', array.iter().map(|value| pretty(value, depth + 1)).collect()),
        other => return other.to_string(),
    };
    let indent = "  ".repeat(depth + 1);
    let separator = format!(",\n{indent}");
    format!("{open}\n{indent}{}\n{}{close}", parts.join(&separator), "  ".repeat(depth))
}

/// `docs/events.md` as a link to the file beside this one.
fn linked(word: &str) -> String {
    match word.strip_prefix("docs/").and_then(|rest| rest.split_once(".md")) {
        Some((name, rest)) => format!("[docs/{name}.md]({name}.md){rest}"),
        None => word.to_owned(),
    }
}

/// Lines of at most 116 characters.
fn wrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut lines = vec![String::new()];
        for word in paragraph.split_whitespace().map(linked) {
            let last = lines.len() - 1;
            if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > 116 {
                lines.push(word);
            } else {
                let space = if lines[last].is_empty() { "" } else { " " };
                lines[last] = format!("{}{space}{word}", lines[last]);
            }
        }
        lines.join("\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
