//! `docs/actions.md` tells of each action that there is, and its examples are what it says they are.

use std::collections::BTreeSet;
use std::path::Path;

use convened::actions::words::Places;
use convened::actions::{Args, Asker, Dialling, Scope, Unfit, names};
use convened::model::Outcome;
use serde_json::{Deserializer, Map, Value};

/// Where each scope is told of, by its heading.
const SECTIONS: [(&str, Scope); 3] = [
    ("## On a conference", Scope::Conference),
    ("## On several participants", Scope::Participants),
    ("## On one participant", Scope::Participant),
];

const OUTCOMES: [Outcome; 7] = [
    Outcome::Done,
    Outcome::Already,
    Outcome::WouldDo,
    Outcome::SkippedModerator,
    Outcome::NotFound,
    Outcome::Failed,
    Outcome::Unknown,
];

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions.md")).unwrap()
}

/// What stands between a heading and the next one of the same rank.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The words in code marks.
fn marked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The actions that a section is about: in its headings, in the first column of its tables, and in its list of those
/// that are told of elsewhere.
fn told_in(section: &str) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for line in section.lines() {
        let about = match line.strip_prefix("| ") {
            Some(row) => row.split(" |").next().unwrap_or_default(),
            None if line.starts_with("### ") => line,
            None => continue,
        };
        told.extend(marked(about).map(str::to_owned));
    }
    let same = section.split_once("The same as for several").and_then(|(_, rest)| rest.split_once(';'));
    told.extend(same.into_iter().flat_map(|(list, _)| marked(list).map(str::to_owned).collect::<Vec<_>>()));
    told
}

/// The examples of a text: each value in each block of JSON.
fn examples(text: &str) -> Vec<Value> {
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(|block| {
            let values = Deserializer::from_str(block).into_iter::<Value>();
            values.map(move |value| value.unwrap_or_else(|error| panic!("{error}: {block}")))
        })
        .collect()
}

fn is_answer(example: &Value) -> bool {
    example["data"]["results"].is_array()
}

/// The action of a request, and its arguments as a client means them: in an object of their own, or beside it.
fn asked(request: &Value) -> (String, Map<String, Value>) {
    let name = request["data"]["action"].as_str().or(request["action"].as_str()).expect("an action");
    let mut args = request["data"].as_object().expect("`data`").clone();
    args.remove("action");
    if let Some(Value::Object(own)) = args.get("data") {
        args = own.clone();
    }
    (name.to_owned(), args)
}

/// That it passes the schema, and becomes an action.
fn check(scope: Scope, request: &Value) -> Result<(), Unfit> {
    let (name, args) = asked(request);
    let recordings = Some("/recordings".to_owned());
    let places = Places { roots: vec!["/sounds".into()], schemes: vec![], recordings };
    let asker = Asker { name: &"desk".into(), account: "acme" };
    let args = Args::check(scope, &name, &args, &places)?;
    match scope {
        Scope::Conference if name == "dial" => {
            let dialling = Dialling::new(&convened::config::Dial::default()).expect("the defaults are right");
            args.dial(&dialling).map(|_| ())
        }
        Scope::Conference => args.conference(&name, &asker).map(|_| ()),
        Scope::Participants if name == "relate" => args.relation().map(|_| ()),
        Scope::Participants | Scope::Participant => args.participant(&name, "default", &asker).map(|_| ()),
    }
}

#[test]
fn each_action_is_told_of_where_it_belongs() {
    let page = page();
    for (heading, scope) in SECTIONS {
        let told = told_in(section(&page, heading));
        let missing: Vec<_> = names(scope).filter(|name| !told.contains(*name)).collect();
        assert!(missing.is_empty(), "{heading:?} says nothing of {missing:?}");
        // Nothing is promised that is not there.
        let text = section(&page, heading);
        let headings = text.lines().filter(|line| line.starts_with("### ")).flat_map(marked);
        let known: BTreeSet<_> = names(scope).collect();
        let invented: Vec<_> = headings.filter(|name| !known.contains(name)).collect();
        assert!(invented.is_empty(), "{heading:?} tells of {invented:?}");
    }
}

#[test]
fn each_example_of_a_request_is_one_that_is_accepted() {
    let page = page();
    for (heading, scope) in SECTIONS {
        let requests: Vec<_> =
            examples(section(&page, heading)).into_iter().filter(|e| !is_answer(e)).collect();
        assert!(!requests.is_empty(), "{heading:?} has no example");
        for request in requests {
            check(scope, &request).unwrap_or_else(|unfit| panic!("{request}: {unfit}"));
        }
    }
    // Those of the forms are one action on a conference.
    let forms = examples(section(&page, "## How an action is asked for"));
    let meant: BTreeSet<_> = forms.iter().map(|form| format!("{:?}", asked(form))).collect();
    assert_eq!((forms.len(), meant.len()), (3, 1), "{meant:?}");
    check(Scope::Conference, &forms[0]).unwrap();
}

#[test]
fn each_action_with_a_heading_has_an_example_of_its_own() {
    let page = page();
    for (heading, scope) in SECTIONS {
        let known: BTreeSet<_> = names(scope).collect();
        for part in section(&page, heading).split("\n### ").skip(1) {
            let title = part.lines().next().unwrap_or_default();
            let actions: Vec<_> = marked(title).filter(|name| known.contains(name)).collect();
            let shown: BTreeSet<_> =
                examples(part).iter().filter(|e| !is_answer(e)).map(|request| asked(request).0).collect();
            assert!(
                actions.is_empty() || actions.iter().any(|name| shown.contains(*name)),
                "{title:?} has {shown:?}"
            );
        }
    }
}

#[test]
fn each_example_of_an_answer_has_the_form_and_the_words_that_answers_have() {
    let page = page();
    let answers: Vec<_> = examples(&page).into_iter().filter(is_answer).collect();
    assert!(answers.len() >= 3);
    let known = OUTCOMES.map(Outcome::name);
    for answer in &answers {
        let keys: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["data", "status", "request_id", "auth_token"], "{answer}");
        for key in ["action", "conference_id"] {
            assert!(answer["data"][key].is_string(), "{answer}");
        }
        for result in answer["data"]["results"].as_array().unwrap() {
            for key in ["participant_id", "call_id", "node", "result"] {
                assert!(result.get(key).is_some(), "no {key}: {result}");
            }
            assert!(known.iter().any(|word| result["result"] == *word), "{result}");
        }
    }
    // And each word is explained.
    let told = told_in(section(&page, "## The answer"));
    let missing: Vec<_> = known.iter().filter(|word| !told.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
