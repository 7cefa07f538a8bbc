//! Each kind of trouble has an exit code, a place and a way out in its words.

use std::process::Command;

use tokio::net::TcpListener;

use crate::desk::{Desk, Told, bare, finished, stranger};
use crate::process::ACCOUNT;

/// Each command once, with what it needs to be understood.
const COMMANDS: [&[&str]; 11] = [
    &["list"],
    &["show", "Board"],
    &["watch"],
    &["watch", "Board"],
    &["mute", "Board", "--all"],
    &["unmute", "Board", "7"],
    &["deaf", "Board", "7"],
    &["undeaf", "Board", "--all"],
    &["kick", "Board", "7"],
    &["lock", "Board"],
    &["unlock", "Board", "--json"],
];

async fn with(mut command: Command, change: impl FnOnce(&mut Command)) -> Told {
    change(&mut command);
    finished(command).await
}

#[tokio::test]
async fn without_a_token_or_an_account_each_command_says_how_to_give_one() {
    for arguments in COMMANDS {
        let told = with(bare(arguments), |command| {
            command.env("CONVENED_ACCOUNT", ACCOUNT);
        })
        .await;
        told.failed(78, "CONVENED_TOKEN_FILE");
        let told = with(bare(arguments), |command| {
            command.env("CONVENED_TOKEN", "t");
        })
        .await;
        told.failed(2, "--account");
    }
}

#[tokio::test]
async fn a_wrong_token_another_account_and_an_unknown_conference_are_told_apart() {
    let desk = Desk::new().await;
    desk.board().await;
    // More than ten wrong tokens within a minute are another trouble.
    for arguments in COMMANDS.into_iter().step_by(2).chain([&["status"][..]]) {
        let told = with(desk.command(arguments), |command| {
            command.env("CONVENED_TOKEN", "wrong");
        })
        .await;
        let said = told.failed(78, "the token is not good");
        assert!(said.contains("convened token create") && !said.contains("wrong"), "{said}");
    }
    for arguments in COMMANDS {
        let told = with(desk.command(arguments), |command| {
            command.env("CONVENED_ACCOUNT", "other");
        })
        .await;
        told.failed(4, "account \"other\" is not found, or is not this token's");
    }
    for arguments in COMMANDS.into_iter().filter(|arguments| arguments.contains(&"Board")) {
        let arguments: Vec<_> =
            arguments.iter().map(|word| if *word == "Board" { "Bored" } else { word }).collect();
        let told = desk.run(&arguments).await;
        assert_eq!(told.out, "");
        told.failed(4, "\"Bored\" is not found");
    }
    let quiet = desk.room("Quiet").await;
    desk.run(&["lock", "Quiet"]).await.failed(4, &format!("{quiet:?} does not run"));
}

#[tokio::test]
async fn another_accounts_conference_is_not_there_by_its_id_either() {
    let desk = Desk::new().await;
    let (id, _) = desk.board().await;
    let token = desk.site.token(&["create", "--account", "other", "--scope", "read,control"]).await;
    for arguments in [&["show", &id][..], &["watch", &id], &["kick", &id, "--all"], &["lock", &id]] {
        let told = with(desk.command(arguments), |command| {
            command.env("CONVENED_TOKEN", &token).env("CONVENED_ACCOUNT", "other");
        });
        told.await.failed(4, &format!("{id:?} is not found"));
    }
    assert_eq!(desk.site.switch.truth()[0].members.len(), 3);
}

#[tokio::test]
async fn a_token_without_the_scope_says_which_one_is_needed() {
    let desk = Desk::new().await;
    desk.board().await;
    let token = desk.site.token(&["create", "--account", ACCOUNT, "--scope", "read"]).await;
    let told = with(desk.command(&["kick", "Board", "--all"]), |command| {
        command.env("CONVENED_TOKEN", &token);
    });
    // By its name it is not found before it is looked for: the scope is missing first.
    told.await.failed(78, "needs the scope control");
    assert_eq!(desk.site.switch.truth()[0].members.len(), 3);
}

#[tokio::test]
async fn where_nobody_listens_is_named_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for arguments in COMMANDS.into_iter().chain([&["status"][..]]) {
        let told = with(bare(arguments), |command| {
            command.env("CONVENED_URL", &url).env("CONVENED_TOKEN", "t").env("CONVENED_ACCOUNT", ACCOUNT);
        });
        let said = told.await.failed(69, &format!("{url} does not answer: "));
        assert!(said.contains("--url"), "{said}");
    }
}

#[tokio::test]
async fn something_else_than_the_api_is_told_from_it() {
    let url = format!("http://{}", stranger("200 OK").await);
    finished(bare(&["status", "--url", &url])).await.failed(1, &format!("{url} is not this API: "));
}

#[tokio::test]
async fn a_proxy_whose_daemon_is_away_is_told_as_one() {
    let url = format!("http://{}", stranger("502 Bad Gateway").await);
    for arguments in COMMANDS.into_iter().chain([&["status"][..]]) {
        let told = with(bare(arguments), |command| {
            command.env("CONVENED_URL", &url).env("CONVENED_TOKEN", "t").env("CONVENED_ACCOUNT", ACCOUNT);
        });
        told.await.failed(69, "answers 502 Bad Gateway");
    }
}

#[tokio::test]
async fn status_tells_what_everybody_may_know_before_it_says_what_is_wrong_with_the_rest() {
    let desk = Desk::new().await;
    for (variable, code, words) in [
        ("CONVENED_TOKEN", 78, "the token is not good"),
        ("CONVENED_ACCOUNT", 4, "is not found, or is not this token's"),
    ] {
        let told = with(desk.command(&["status"]), |command| {
            command.env(variable, "wrong");
        })
        .await;
        assert!(told.out.contains("node fs1  followed") && told.out.contains("database  ok"), "{told:?}");
        told.failed(code, words);
    }
}

#[tokio::test]
async fn a_daemon_that_takes_calls_and_does_not_answer_is_not_waited_for_by_status() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    // Not after the minute that an action may take.
    finished(bare(&["status", "--url", &url])).await.failed(69, "nothing came within 5 s");
}

#[tokio::test]
async fn a_variable_that_is_empty_is_as_if_it_were_not_there() {
    let desk = Desk::new().await;
    let (id, _) = desk.board().await;
    let listed = with(desk.command(&["list"]), |command| {
        command.env("CONVENED_TOKEN_FILE", "").env("CONVENED_CA_FILE", "");
    });
    assert!(listed.await.ok().contains(&id));
    let nobody = with(bare(&["list"]), |command| {
        command.env("CONVENED_URL", "").env("CONVENED_TOKEN", "t").env("CONVENED_ACCOUNT", "");
    });
    nobody.await.failed(2, "there is no account: --account or CONVENED_ACCOUNT");
}

#[tokio::test]
async fn the_token_comes_from_a_file_too_and_is_never_an_argument() {
    let desk = Desk::new().await;
    let token = desk.owner.token.clone().expect("a token");
    let file = desk.site.folder.path().join("token");
    std::fs::write(&file, format!("{token}\n")).expect("written");
    let named = file.to_string_lossy().into_owned();
    with(desk.command(&["list", "--token-file", &named]), |command| {
        command.env("CONVENED_TOKEN", "wrong");
    })
    .await
    .ok();
    with(desk.command(&["list"]), |command| {
        command.env_remove("CONVENED_TOKEN").env("CONVENED_TOKEN_FILE", &named);
    })
    .await
    .ok();
    let own = desk.site.folder.path().join(".config/convened");
    std::fs::create_dir_all(&own).expect("made");
    std::fs::write(own.join("token"), &token).expect("written");
    with(desk.command(&["list"]), |command| {
        command.env_remove("CONVENED_TOKEN");
    })
    .await
    .ok();
    let missing = desk.run(&["list", "--token-file", "no/such"]).await;
    missing.failed(78, "no/such: cannot be read: ");
    assert_eq!(desk.run(&["list", "--token", &token]).await.code, 2);
}

#[tokio::test]
async fn a_name_of_two_conferences_is_asked_back() {
    let desk = Desk::new().await;
    desk.board().await;
    let other = desk.room("Board").await;
    for arguments in [&["show", "Board"][..], &["kick", "Board", "--all"]] {
        desk.run(arguments).await.failed(2, &other);
    }
    assert_eq!(desk.site.switch.truth()[0].members.len(), 3);
}

#[tokio::test]
async fn a_switch_that_was_never_reached_is_no_missing_conference() {
    let mut desk = Desk::new().await;
    let (id, _) = desk.board().await;
    desk.site.switch.stop_listening().await;
    desk.restart().await;
    let shown = desk.run(&["show", &id]).await.ok();
    assert!(shown.ends_with("not known: a node is out of reach\n"), "{shown}");
    desk.run(&["lock", "Board"]).await.failed(69, "(fs1): what runs is not known now, and nothing was done");
    let ready = desk.run(&["status"]).await.ok();
    assert!(ready.contains("node fs1  unlisted"), "{ready}");
}
