//! The daemon with a PostgreSQL server that stops, hangs and comes back: documents wait for it, what
//! runs does not.

use convened::sim::world::Caller;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Rest, text};
use crate::house::{ACCOUNT, ALL, House, switch};
use crate::postgres::Postgres;

/// A house with that database, in which a conference with a document and one without run.
struct Stage {
    house: House,
    owner: Rest,
    stranger: Rest,
    /// Runs.
    id: String,
    /// Does not.
    idle: String,
}

const AD_HOC: &str = "talk";

impl Stage {
    async fn on(url: String) -> Self {
        let house = House::with(1, |config| {
            config.database.url = url;
            config.database.timeout_ms = 1_000;
        })
        .await;
        let (owner, stranger) = (house.owner().await, house.stranger().await);
        let id = owner.create(json!({ "name": "weekly", "conference_numbers": ["5551"] })).await;
        let idle = owner.create(json!({ "name": "idle" })).await;
        house.join(&id, "Ann").await;
        let bob = Caller::new("Bob", "2").variable("confvar_account_id", ACCOUNT);
        house.switch().join(AD_HOC, bob).expect("let in");
        // Everybody has been there once: whose they are is known.
        owner.until(&format!("conferences/{AD_HOC}"), |answer| answer.status == 200).await;
        for rest in [&owner, &stranger] {
            rest.get(&format!("conferences/{id}")).await;
        }
        Self { house, owner, stranger, id, idle }
    }

    /// What needs no database is answered, what needs one says that it is away.
    async fn assert_that_only_documents_are_away(&self) {
        let away = "datastore_unavailable";
        let Self { owner, stranger, id, idle, .. } = self;
        for running in [id.as_str(), AD_HOC] {
            let one = format!("conferences/{running}");
            let seen = owner.get(&one).await.ok();
            assert_eq!((&seen["id"], &seen["_read_only"]["members"]), (&json!(running), &json!(1)), "{seen}");
            let people = owner.get(&format!("{one}/participants")).await.ok();
            let call = text(&people[0]["call_id"]);
            for action in ["mute", "unmute"] {
                let done = owner.act(&format!("{one}/participants/{call}"), action).await.ok();
                assert_eq!(done["results"][0]["result"], "done", "{done}");
            }
            owner.act(&one, "lock").await.ok();
            owner.act(&one, "unlock").await.ok();
        }
        owner.get("conferences").await.refused(503, away);
        owner.get("conferences?paginate=false").await.refused(503, away);
        owner.get(&format!("conferences/{idle}")).await.refused(503, away);
        owner.put("conferences", json!({})).await.refused(503, away);
        for method in [Method::POST, Method::PATCH] {
            let write = owner.ask(method, &format!("conferences/{id}")).json(&json!({ "data": {} }));
            write.send().await.refused(503, away);
        }
        owner.delete(&format!("conferences/{id}")).await.refused(503, away);
        // The wall stands.
        stranger.get(&format!("conferences/{id}")).await.refused(503, away);
        stranger.get(&format!("conferences/{AD_HOC}")).await.refused(503, away);
        owner.in_account(&stranger.account).get("conferences").await.not_found(&stranger.account);
        let nobody = Rest::new(owner.address, ACCOUNT, Some(&"0".repeat(64)));
        nobody.get(&format!("conferences/{id}")).await.refused(503, away);
        let ready = Rest::new(owner.address, ACCOUNT, None).get("/readyz").await;
        assert_eq!(ready.refused(503, away)["datastore"], "unavailable");
    }

    async fn assert_that_all_is_well(&self) {
        let Self { owner, id, idle, .. } = self;
        owner.until(&format!("conferences/{idle}"), |answer| answer.status == 200).await;
        let seen = owner.get(&format!("conferences/{id}")).await.ok();
        assert_eq!(seen["name"], "weekly");
        let made = owner.create(json!({ "name": "after" })).await;
        owner.delete(&format!("conferences/{made}")).await.ok();
        let list = owner.get("conferences").await.ok();
        let ids: Vec<&Value> = list.as_array().expect("a list").iter().map(|line| &line["id"]).collect();
        assert_eq!(ids.len(), 3, "{ids:?}");
        // Somebody new: whether tokens can be looked up again is found out by one asker a second.
        let client = self.house.client(Some(ACCOUNT), &ALL).await;
        client.until("conferences", |answer| answer.status == 200).await;
        Rest::new(owner.address, ACCOUNT, None).get("/readyz").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_is_stopped_what_runs_is_seen_and_controlled() {
    let server = Postgres::start().await;
    let stage = Stage::on(server.database().await).await;
    stage.assert_that_all_is_well().await;
    for _ in 0..2 {
        server.stop();
        stage.assert_that_only_documents_are_away().await;
        server.start_again();
        stage.assert_that_all_is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_hangs_what_runs_is_seen_and_controlled() {
    let server = Postgres::start().await;
    let stage = Stage::on(server.database().await).await;
    server.freeze();
    stage.assert_that_only_documents_are_away().await;
    server.thaw();
    stage.assert_that_all_is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_starts_without_its_server_and_serves_when_it_comes() {
    let server = Postgres::start().await;
    let url = server.database().await;
    server.stop();
    let house = House::beside(vec![switch(1).await], |config| config.database.url = url).await;
    house.followed().await;
    let nobody = Rest::new(house.address(), ACCOUNT, None);
    nobody.get("/healthz").await.ok();
    assert_eq!(nobody.get("/readyz").await.refused(503, "datastore_unavailable")["datastore"], "unavailable");
    server.start_again();
    nobody.until("/readyz", |answer| answer.status == 200).await;
    house.owner().await.create(json!({})).await;
}
