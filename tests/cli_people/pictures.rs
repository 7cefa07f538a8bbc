//! `status`, `list`, `show`: what there is.

use convened::sim::world::Caller;
use serde_json::json;

use crate::client::column;
use crate::desk::{Desk, bare, finished, words};
use crate::process::ACCOUNT;

#[tokio::test]
async fn status_tells_as_much_as_the_token_may_know() {
    let desk = Desk::new().await;
    desk.board().await;
    let url = format!("http://{}", desk.line.address);
    let of_all = finished(bare(&["status", "--url", &url])).await.ok();
    assert_eq!(of_all, format!("{url}  ready\ndatabase  ok\nnode fs1  followed\n"));

    let of_account = desk.run(&["status"]).await.ok();
    let expected = format!("account {ACCOUNT}  1 conference, 1 running, 3 participants\n");
    assert!(of_account.contains(&expected), "{of_account}");

    let superuser = desk.site.token(&["create", "--superuser", "--scope", "read"]).await;
    let mut command = desk.command(&["status"]);
    command.env("CONVENED_TOKEN", &superuser);
    let of_nodes = finished(command).await.ok();
    let rows = words(&of_nodes);
    assert_eq!(rows.last().map(|row| &row[..2]), Some(&["fs1", "followed"][..]), "{of_nodes}");
    assert!(of_nodes.contains("CONFERENCES"), "{of_nodes}");

    let document = desk.run(&["status", "--json"]).await.json();
    assert_eq!(document["url"], url);
    assert_eq!((&document["ready"], &document["nodes"]), (&json!(true), &json!({"fs1": "followed"})));
    assert_eq!(
        document["account"],
        json!({"id": ACCOUNT, "conferences": 1, "running": 1, "participants": 3})
    );
}

#[tokio::test]
async fn list_shows_what_runs_and_what_does_not() {
    let desk = Desk::new().await;
    let (board, [ann, ..]) = desk.board().await;
    let quiet = desk.room("Quiet").await;
    let caller = Caller::new("Dee", "1").variable("confvar_account_id", ACCOUNT);
    desk.join("ad-hoc", caller).await;
    desk.run(&["lock", "Board"]).await.ok();

    let listed = desk.run(&["list"]).await.ok();
    let rows = words(&listed);
    let row = |id: &str| {
        let row =
            rows.iter().find(|row| row.last() == Some(&id)).unwrap_or_else(|| panic!("no {id}: {listed}"));
        row.join(" ")
    };
    assert!(row(&board).starts_with("Board 3 (1 mod) running, locked "), "{listed}");
    assert_eq!(row(&quiet), format!("Quiet {quiet}"));
    assert!(row("ad-hoc").starts_with("ad-hoc 1 running, ad hoc "), "{listed}");
    assert!(listed.ends_with("3 conferences, 2 running, 4 participants\n"), "{listed}");
    assert!(!listed.contains('\u{1b}'), "this is no terminal: {listed:?}");

    let mut running = column(&desk.run(&["list", "--running", "--json"]).await.json(), "id");
    running.sort_by_key(ToString::to_string);
    let mut expected = [board.clone(), "ad-hoc".to_owned()];
    expected.sort();
    assert_eq!(running, expected);

    let shown = desk.run(&["show", "Board"]).await.ok();
    assert!(shown.starts_with(&format!("Board  {board}\nrunning, locked on fs1 for ")), "{shown}");
    let rows = words(&shown);
    let row = rows.iter().find(|row| row.first() == Some(&&*ann.to_string())).expect("Ann");
    assert_eq!(row[1..3], ["Ann", "15551"]);
    assert!(row.contains(&"moderator"), "{shown}");
    assert_eq!(desk.run(&["show", &quiet]).await.ok(), format!("Quiet  {quiet}\ndoes not run\n"));
    let document = desk.run(&["show", &board, "--json"]).await.json();
    assert_eq!(column(&document["_read_only"]["participants"], "caller_id_name"), ["Ann", "Ben", "Cy"]);
}

#[tokio::test]
async fn a_list_of_several_pages_is_followed_to_its_end() {
    let desk = Desk::new().await;
    let mut made = Vec::new();
    for number in 0..505 {
        made.push(json!(desk.room(&format!("room {number}")).await));
    }
    made.sort_by_key(ToString::to_string);
    assert_eq!(column(&desk.run(&["list", "--json"]).await.json(), "id"), made);
    let text = desk.run(&["list"]).await.ok();
    assert!(text.ends_with("505 conferences, 0 running, 0 participants\n"));
    assert_eq!(text.lines().count(), 1 + 505 + 1);
}

#[tokio::test]
async fn what_a_caller_sends_as_his_name_does_not_steer_the_terminal() {
    let desk = Desk::new().await;
    let id = desk.room("\u{1b}[31mred").await;
    desk.join(&id, Caller::new("\u{1b}[2JEve\u{7}", "1")).await;
    for arguments in [&["list"][..], &["show", &id]] {
        let text = desk.run(arguments).await.ok();
        assert!(text.contains('\u{fffd}'), "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
