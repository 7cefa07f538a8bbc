//! Two programs on one PostgreSQL.

use serde_json::json;

use crate::client::Rest;
use crate::postgres::Postgres;
use crate::process::{ACCOUNT, Site, finished};

#[tokio::test]
async fn what_one_daemon_writes_or_revokes_the_other_knows_at_once() {
    let server = Postgres::shared().await;
    let site = Site::new().await;
    site.configure_database(&server.database().await);
    // At the same time: the schema is made once.
    let ((_one, one), (_other, other)) = tokio::join!(site.serving(), site.serving());
    let token =
        site.token(&["create", "--account", ACCOUNT, "--scope", "read,write", "--name", "desk"]).await;
    let (one, other) = (Rest::new(one, ACCOUNT, Some(&token)), Rest::new(other, ACCOUNT, Some(&token)));
    for round in 0..20 {
        let id = one.create(json!({ "name": "a", "conference_numbers": ["77"] })).await;
        let path = format!("conferences/{id}");
        assert_eq!(other.get(&path).await.ok()["name"], "a", "round {round}");
        let taken = other.put("conferences", json!({ "conference_numbers": ["77"] })).await;
        assert_eq!(taken.refused(400, "validation_error")["numbers"]["unique"]["cause"], "77");
        other.patch(&path, json!({ "name": "b" })).await.ok();
        assert_eq!(one.get(&path).await.ok()["name"], "b");
        other.delete(&path).await.ok();
        one.get(&path).await.not_found(&id);
    }
    let list = site.token(&["list", "--account", ACCOUNT]).await;
    let id = list.lines().find(|line| line.ends_with(" desk")).and_then(|line| line.split(' ').next());
    site.token(&["revoke", id.expect("listed")]).await;
    for rest in [one, other] {
        rest.get("conferences").await.refused(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_told_of_without_the_password() {
    let server = Postgres::shared().await;
    let site = Site::new().await;
    let url = server.url("nowhere").replacen("postgres@", "postgres:Pa55-of-the-database@", 1);
    site.configure_database(&url);
    let config = site.config();
    let ended = finished(&["run", "--config", &config.to_string_lossy()]).await;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(78), "{said}");
    assert!(said.contains("database.url: postgres://postgres:***@localhost:5432/nowhere"), "{said}");
    assert!(said.contains("\"nowhere\" does not exist") && !said.contains("Pa55-of-the-database"), "{said}");
}
