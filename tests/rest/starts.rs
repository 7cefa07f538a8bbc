//! How the daemon starts, or says why it does not.

use std::path::Path;

use serde_json::json;

use crate::client::{Rest, column};
use crate::process::{ACCOUNT, Process, Site, names};

async fn refused(site: &Site, variables: &[(&str, &str)], code: i32) -> String {
    let ended = site.run(variables).await.ended().await;
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let said = ended.err.lines().filter(|line| line.starts_with("convened: "));
    let said = said.collect::<Vec<_>>().join("\n");
    assert!(!said.is_empty() && !said.contains("panic"), "{ended:?}");
    said
}

#[tokio::test]
async fn it_serves_what_its_configuration_says() {
    let site = Site::new().await;
    let (_daemon, address) = site.serving().await;
    let nobody = Rest::new(address, ACCOUNT, None);
    nobody
        .until("/readyz", |answer| answer.status == 200 && answer.data()["nodes"]["fs1"] == "followed")
        .await;
    assert_eq!(site.owner(address).await.get("conferences").await.ok(), json!([]));
}

#[tokio::test]
async fn a_second_daemon_on_the_same_database_names_the_first_and_exits_78() {
    let site = Site::new().await;
    let (first, address) = site.serving().await;
    let said = refused(&site, &[], 78).await;
    assert!(said.contains(&first.pid().to_string()) && said.contains("convened.db"), "{said}");
    // By another name of the same file too.
    let link = site.folder.path().join("other.db");
    std::os::unix::fs::symlink(site.database(), &link).expect("a link");
    let url = format!("sqlite://{}", link.display());
    let said = refused(&site, &[("CONVENED__DATABASE__URL", &url)], 78).await;
    assert!(said.contains(&first.pid().to_string()), "{said}");
    site.owner(address).await.get("conferences").await.ok();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_the_database_is_free_again() {
    let site = Site::new().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = refused(&site, &[("CONVENED__API__LISTEN", &address)], 1).await;
    assert!(said.contains(&address) && said.to_lowercase().contains("in use"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    site.serving().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_with_the_reason() {
    let site = Site::new().await;
    std::fs::write(site.folder.path().join("notes.txt"), "these are notes, and no database")
        .expect("written");
    let folder = site.folder.path().display().to_string();
    for path in [
        format!("{folder}/none/convened.db"),
        folder.clone(),
        "/proc/convened.db".into(),
        "/dev/null".into(),
        format!("{folder}/notes.txt"),
    ] {
        let url = format!("sqlite://{path}");
        let said = refused(&site, &[("CONVENED__DATABASE__URL", &url)], 78).await;
        let named = Path::new(&path)
            .parent()
            .is_some_and(|parent| said.contains(&path) || said.contains(&*parent.to_string_lossy()));
        assert!(named && said.starts_with("convened: database.url: "), "{path}: {said}");
    }
    let notes = std::fs::read_to_string(site.folder.path().join("notes.txt")).expect("still there");
    assert_eq!(notes, "these are notes, and no database");
    assert_eq!(names(site.folder.path()), ["convened.toml", "notes.txt"]);
}

#[tokio::test]
async fn a_wrong_configuration_exits_78_and_names_the_key() {
    let site = Site::new().await;
    for (more, key) in [
        ("heartbeet_timeout_s = 1\n", "heartbeet_timeout_s"),
        ("[api2]\nlisten = \"127.0.0.1:0\"\n", "api2"),
        ("command_timeout_ms = \"10\"\n", "command_timeout_ms"),
        ("[conference]\ndefault_account = \"\"\n", "conference.default_account"),
        ("[conference]\ndefault_account = \"no account at all!\"\n", "conference.default_account"),
        ("[log]\nlevel = \"inof\"\n", "log.level"),
    ] {
        site.configure(more);
        let said = refused(&site, &[], 78).await;
        assert!(said.contains(key) && said.contains("convened.toml"), "{more}: {said}");
        assert!(!said.contains(crate::process::PASSWORD), "{said}");
    }
    let said = refused(&site, &[("CONVENED__API__LISTNE", "x")], 78).await;
    assert!(said.contains("CONVENED__API__LISTNE"), "{said}");
    assert_eq!(names(site.folder.path()), ["convened.toml"], "nothing was made");
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_while_the_daemon_runs() {
    let site = Site::new().await;
    let (_daemon, address) = site.serving().await;
    let token =
        site.token(&["create", "--account", ACCOUNT, "--name", "dashboard", "--expires", "90d"]).await;
    assert!(token.len() == 64 && !token.contains(char::is_whitespace), "{token}");
    let client = Rest::new(address, ACCOUNT, Some(&token));
    assert_eq!(client.get("conferences").await.ok(), json!([]));
    client.put("conferences", json!({})).await.refused(403, "forbidden");
    let superuser = site.token(&["create", "--superuser", "--scope", "read,write"]).await;
    let superuser = Rest::new(address, ACCOUNT, Some(&superuser));
    assert_eq!(column(&superuser.get("/v2/nodes").await.ok(), "name"), ["fs1"]);

    let listed = site.token(&["list"]).await;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(!listed.contains(&token) && !listed.contains(&token[..16]), "{listed}");
    let listed = site.token(&["list", "--account", ACCOUNT]).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let line = listed.lines().nth(1).expect("a line").to_owned();
    assert!(line.contains("dashboard") && line.contains("read") && line.contains(ACCOUNT), "{line}");

    let id = line.split_whitespace().next().expect("an id");
    site.token(&["revoke", id]).await;
    client.until("conferences", |answer| answer.status == 401).await.refused(401, "invalid_credentials");
    superuser.get("conferences").await.ok();
    assert!(site.token(&["list"]).await.contains("revoked"));
    for arguments in [&["revoke", "0000"][..], &["create", "--account", "no account!"]] {
        let output = site.try_token(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"convened: "), "{output:?}");
    }
}

#[tokio::test]
async fn tokens_can_be_made_before_the_first_start() {
    let site = Site::new().await;
    let token = site.token(&["create", "--account", ACCOUNT]).await;
    let (_daemon, address) = site.serving().await;
    Rest::new(address, ACCOUNT, Some(&token)).get("conferences").await.ok();
}

#[tokio::test]
async fn without_a_switch_it_serves_documents_and_says_so() {
    let site = Site::new().await;
    std::fs::write(
        site.config(),
        format!(
            "[api]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"sqlite://{}\"\n",
            site.database().display()
        ),
    )
    .expect("written");
    let (daemon, address) = site.serving().await;
    assert!(daemon.err.until(|line| line.contains("no [[node]]")).await.contains("WARN"));
    let id = site.owner(address).await.create(json!({ "name": "a" })).await;
    assert_eq!(id.len(), 32);
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_to_the_client_and_the_daemon_lives() {
    let site = Site::new().await;
    let token = site.token(&["create", "--superuser", "--scope", "read,control,write"]).await;
    let config = site.config();
    // The signal that comes with the limit is ignored, so that the write itself fails.
    let wrapper = ["prlimit", "--fsize=1000000:unlimited", "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let daemon = Process::through(&wrapper, &["run", "--config", &config.to_string_lossy()]);
    let owner = Rest::new(daemon.address().await, ACCOUNT, Some(&token));
    let large = json!({ "name": "large", "custom": "x".repeat(60 * 1024) });
    let mut stored = Vec::new();
    let refused = loop {
        let answer = owner.put("conferences", large.clone()).await;
        match answer.status.as_u16() {
            201 => stored.push(answer.data()["id"].clone()),
            _ => break answer,
        }
        assert!(stored.len() < 1_000, "it never fills up");
    };
    assert_eq!(refused.refused(503, "datastore_unavailable"), json!({}));
    assert!(stored.len() > 3, "{}", stored.len());
    // Reading and acting go on.
    let caller = convened::sim::world::Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT);
    site.switch.join("talk", caller).expect("let in");
    owner.until("conferences/talk", |answer| answer.status == 200).await;
    owner.act("conferences/talk", "lock").await.ok();
    for id in &stored {
        assert_eq!(
            owner.get(&format!("conferences/{}", id.as_str().expect("an id"))).await.ok()["name"],
            "large"
        );
    }
    owner.get("/healthz").await.ok();
    // With room again, writing goes on.
    let mut prlimit = std::process::Command::new("prlimit");
    prlimit.args([format!("--pid={}", daemon.pid()), "--fsize=unlimited".to_owned()]);
    assert!(crate::process::output(prlimit).await.status.success());
    owner.put("conferences", large).await.created();
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));
}
