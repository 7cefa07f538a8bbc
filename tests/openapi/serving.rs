//! What the document says of a daemon that serves: who may, what the commands of `docs/api.md` do, where it is.

use std::process::{Command, Stdio};

use convened::api::resources::openapi;
use convened::auth::CredentialKind;
use convened::config::Config;
use serde_json::{Value, json};

use crate::client::{Answer, PATIENCE, Rest};
use crate::house::{ACCOUNT, ALL, House};
use crate::{operations, page};

/// A request that an operation would carry out, for what is there.
async fn ask(client: &Rest, what: &str, operation: &Value, id: &str, participant: &str) -> Answer {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let path = path.replace("{A}", ACCOUNT).replace("{C}", id).replace("{P}", participant);
    let examples = operation["requestBody"]["content"]["application/json"]["examples"].as_object();
    let call = client.ask(method.parse().expect("a method"), &path);
    match examples.and_then(|examples| examples.values().next()) {
        Some(example) => call.json(&example["value"]).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn each_operation_takes_the_scopes_that_the_document_names_and_no_fewer() {
    let house = House::with(1, |config: &mut Config| config.metrics.allow = Vec::new()).await;
    let id = house.owner().await.create(json!({})).await;
    house.join(&id, "Ann").await;
    let people = house.owner().await.get(&format!("conferences/{id}/participants")).await.ok();
    let participant = people[0]["participant_id"].to_string();
    let nobody = Rest::new(house.address(), ACCOUNT, None);
    let mut checked = 0;
    for (what, operation) in operations() {
        let scopes = operation["security"]
            .as_array()
            .and_then(|ways| ways.iter().find_map(|way| way["token"].as_array()));
        // A websocket is open to whoever says a token in a message.
        let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) else { continue };
        let needed: Vec<_> = scopes.iter().map(|scope| scope.as_str().expect("a scope")).collect();
        ask(&nobody, &what, operation, &id, &participant).await.refused(401, "invalid_credentials");
        let has = |name: &str| ALL.into_iter().filter(|scope| scope.as_str() != name).collect::<Vec<_>>();
        let lacking = match needed[..] {
            ["superuser"] => vec![house.owner().await],
            _ => {
                let mut all = Vec::new();
                for name in &needed {
                    all.push(house.client(Some(ACCOUNT), &has(name)).await);
                }
                all
            }
        };
        for client in lacking {
            ask(&client, &what, operation, &id, &participant).await.refused(403, "forbidden");
        }
        checked += 1;
    }
    assert!(checked > 12, "{checked}");
}

/// The commands of the page, each with what it is about.
fn commands() -> Vec<String> {
    let page = page::page(openapi());
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| block.trim().to_owned()).collect()
}

#[tokio::test]
async fn each_command_of_the_api_reference_does_what_it_is_for() {
    let house = House::with(1, |config: &mut Config| config.metrics.allow = Vec::new()).await;
    let superuser = house.superuser().await.token.expect("a token");
    let key = house.secret(CredentialKind::ApiKey, Some(ACCOUNT), &ALL, None).await;
    let owner = house.owner().await;
    let commands = commands();
    assert!(commands.len() > 15, "{commands:#?}");
    for line in commands {
        // Each has a conference of its own: some of them end it.
        let id = owner.create(json!({ "name": "Board" })).await;
        house.join(&id, "Ann").await;
        house.join(&id, "Bob").await;
        let people = owner.get(&format!("conferences/{id}/participants")).await.ok();
        let revision = owner.get(&format!("conferences/{id}")).await.json()["revision"].clone();
        let needs_superuser = line.contains("/v2/nodes") || line.contains("/metrics");
        let token = if needs_superuser { superuser.clone() } else { owner.token.clone().expect("a token") };
        let endless = if line.contains("/events") { " | head -n 1" } else { "" };
        let script = format!("curl() {{ command curl -sS --fail-with-body \"$@\"; }}\n{line}{endless}");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .stdin(Stdio::null())
            .env("NO_PROXY", "*")
            .env("KEY", &key)
            .env("T", token);
        shell.env("H", format!("http://{}", house.address())).env("A", ACCOUNT).env("C", &id);
        shell
            .env("P", people[0]["participant_id"].to_string())
            .env("R", revision.as_str().expect("a revision"));
        let ended = tokio::task::spawn_blocking(move || shell.output());
        let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap().unwrap();
        let [said, wrong] =
            [&ended.stdout, &ended.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
        assert!(ended.status.success() && !said.is_empty(), "{line}\n{said}\n{wrong}");
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody_and_told_apart_by_its_tag() {
    let house = House::start().await;
    let nobody = Rest::new(house.address(), ACCOUNT, None);
    for path in ["/v2/openapi.json", "/v2/asyncapi.json"] {
        let ask = |tag: Option<String>| {
            let uri = format!("http://{}{path}", nobody.address);
            let call = tokio::task::spawn_blocking(move || {
                let mut curl = Command::new("curl");
                curl.args(["-sS", "-i", "--noproxy", "*", &uri]);
                if let Some(tag) = tag {
                    curl.args(["-H", &format!("If-None-Match: {tag}")]);
                }
                String::from_utf8(curl.output().unwrap().stdout).unwrap()
            });
            async { call.await.unwrap() }
        };
        let answer = ask(None).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains("\r\ncontent-type: application/json\r\n"),
            "{head}"
        );
        let body: Value = serde_json::from_str(body).unwrap();
        if path == "/v2/openapi.json" {
            assert_eq!(&body, openapi());
            assert_eq!(body["info"]["version"], env!("CARGO_PKG_VERSION"));
        }
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
        let again = ask(Some(tag.clone())).await;
        assert!(again.starts_with("HTTP/1.1 304 ") && again.contains(&tag), "{again}");
        let other = ask(Some("\"0\"".into())).await;
        assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
    }
}
