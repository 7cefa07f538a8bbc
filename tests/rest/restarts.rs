//! Killed and started again.

use serde_json::json;

use crate::client::{Rest, column};
use crate::process::{ACCOUNT, Site};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let site = Site::new().await;
    let token = site.token(&["create", "--account", ACCOUNT, "--scope", "read,control,write"]).await;
    let mut known: Vec<String> = Vec::new();
    for round in 0..3 {
        let (daemon, address) = site.serving().await;
        let owner = Rest::new(address, ACCOUNT, Some(&token));
        let found = column(&owner.get("conferences?paginate=false").await.ok(), "id");
        for id in &known {
            assert!(found.contains(&json!(id)), "{id} was acknowledged before kill {round}");
        }
        for _ in 0..10 {
            known.push(owner.create(json!({ "name": format!("of round {round}") })).await);
        }
        let last = known.last().expect("some").clone();
        owner.patch(&format!("conferences/{last}"), json!({ "name": "patched" })).await.ok();
        let first = known.remove(0);
        owner.delete(&format!("conferences/{first}")).await.ok();
        // In the middle of more of them.
        let more: Vec<_> = (0..20)
            .map(|_| {
                let perhaps = owner.clone();
                tokio::spawn(
                    async move { drop(perhaps.put("conferences", json!({ "name": "perhaps" })).await) },
                )
            })
            .collect();
        daemon.signal("KILL").await;
        assert_eq!(daemon.ended().await.code, None);
        for made in more {
            made.abort();
        }
        assert!(site.folder.path().join("convened.db.lock").exists(), "the lock file is no obstacle");
        let (daemon, address) = site.serving().await;
        let owner = Rest::new(address, ACCOUNT, Some(&token));
        assert_eq!(owner.get(&format!("conferences/{last}")).await.ok()["name"], "patched");
        // As long as the node is not listed, something of that id may run there.
        owner.until(&format!("conferences/{first}"), |answer| answer.status == 404).await;
        daemon.signal("TERM").await;
        assert_eq!(daemon.ended().await.code, Some(0));
    }
}

#[tokio::test]
async fn after_a_restart_running_conferences_are_seen_again() {
    use convened::sim::world::Caller;
    let site = Site::new().await;
    let (daemon, address) = site.serving().await;
    let owner = site.owner(address).await;
    let id = owner.create(json!({ "name": "a" })).await;
    for name in ["Ann", "Ben"] {
        site.switch.join(&id, Caller::new(name, "1")).expect("let in");
    }
    let path = format!("conferences/{id}");
    owner.until(&path, |answer| answer.data()["_read_only"]["members"] == 2).await;
    owner.act(&path, "lock").await.ok();
    daemon.signal("KILL").await;
    daemon.ended().await;
    site.switch.api(&format!("conference {id} mute 1"));
    let (_daemon, address) = site.serving().await;
    let owner = Rest::new(address, ACCOUNT, owner.token.as_deref());
    let seen = owner.until(&path, |answer| answer.ok()["_read_only"]["complete"] == true).await.ok();
    assert_eq!((&seen["_read_only"]["members"], &seen["_read_only"]["is_locked"]), (&json!(2), &json!(true)));
    assert_eq!(column(&seen["_read_only"]["participants"], "speak"), [false, true]);
}
