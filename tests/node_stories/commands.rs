//! The command connection: pipelined, first in first out, with deadlines, and its end.

use std::time::Duration;

use convened::node::{CommandError, Node, Reply};
use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::Caller;
use futures_util::future::join_all;

use crate::support::house::{House, eventually, options, soon, switch};

async fn printed(node: &Node, line: &str) -> String {
    match soon("a reply", node.api(line)).await {
        Ok(Reply::Printed(printed)) => String::from_utf8(printed.to_vec()).unwrap(),
        other => panic!("{line}: {other:?}"),
    }
}

#[tokio::test]
async fn a_late_reply_is_not_given_to_the_next_command() {
    // It goes on telling: it is slow and not dead.
    let heartbeat = Some(std::time::Duration::from_millis(50));
    let switch = Switch::start(SwitchOptions { heartbeat, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| settings.node.command_timeout_ms = 400);
    house.followed().await;
    house.switch.api("global_setvar first=1");
    house.switch.api("global_setvar second=2");
    house.switch.hold_replies();
    let late = soon("its deadline", house.node.api("global_getvar first")).await;
    assert_eq!(late, Err(CommandError::Timeout));
    let (next, ()) = tokio::join!(house.node.api("global_getvar second"), async {
        soon("it is sent", house.switch.until_command(|seen| seen.text.ends_with("second"))).await;
        house.switch.release_replies();
    });
    assert_eq!(next, Ok(Reply::Printed("2".into())));
    assert_eq!(printed(&house.node, "global_getvar first").await, "1");
    assert!(house.node.status().commands_connected);
}

#[tokio::test]
async fn twenty_commands_are_sent_before_the_first_is_answered() {
    let house = House::new().await;
    for n in 0..20 {
        house.switch.api(&format!("global_setvar v{n}={n}"));
    }
    house.switch.hold_replies();
    let lines: Vec<_> = (0..20).map(|n| format!("global_getvar v{n}")).collect();
    let all = join_all(lines.iter().map(|line| house.node.api(line)));
    let (replies, ()) = tokio::join!(all, async {
        for line in &lines {
            soon("it is sent", house.switch.until_command(|seen| seen.text.ends_with(line.as_str()))).await;
        }
        house.switch.release_replies();
    });
    for (n, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply, Ok(Reply::Printed(n.to_string().into())));
    }
}

#[tokio::test]
async fn when_the_connection_dies_all_waiters_fail_at_once() {
    for how in [Switch::cut, Switch::reset] {
        let house = House::with(switch().await, |settings| settings.node.command_timeout_ms = 600_000);
        house.followed().await;
        house.switch.hold_replies();
        let lines: Vec<_> = (0..50).map(|n| format!("global_getvar v{n}")).collect();
        let all = join_all(lines.iter().map(|line| house.node.api(line)));
        let (replies, ()) = tokio::join!(soon("all fail", all), async {
            soon("all are sent", house.switch.until_command(|seen| seen.text.ends_with("v49"))).await;
            how(&house.switch, Which::Commands);
        });
        assert!(replies.iter().all(|reply| *reply == Err(CommandError::Interrupted)), "{replies:?}");
        house.switch.release_replies();
        eventually("it is back", || house.node.status().commands_connected).await;
        assert_eq!(printed(&house.node, "uuid_exists x").await, "false");
    }
}

#[tokio::test]
async fn without_a_connection_a_command_is_refused_and_not_sent_later() {
    let house = House::new().await;
    house.switch.stop_listening().await;
    house.switch.cut(Which::All);
    eventually("it is noticed", || !house.node.status().commands_connected).await;
    let refused = soon("an answer", house.node.api("conference daily mute all")).await;
    assert_eq!(refused, Err(CommandError::Unavailable));
    assert_eq!(soon("an answer", house.node.fence()).await, Err(CommandError::Unavailable));
    house.switch.listen_again().await.unwrap();
    house.followed().await;
    assert_eq!(printed(&house.node, "uuid_exists x").await, "false");
    assert!(house.switch.commands().iter().all(|seen| !seen.text.contains("mute")));
}

#[tokio::test]
async fn who_waits_for_a_fence_learns_at_once_that_the_events_are_lost() {
    let house = House::with(switch().await, |settings| settings.node.command_timeout_ms = 600_000);
    house.followed().await;
    house.switch.drop_events_if(|_| true);
    let (fence, ()) = tokio::join!(soon("an end", house.node.fence()), async {
        soon("it is sent", house.switch.until_command(|seen| seen.text.starts_with("sendevent"))).await;
        house.switch.cut(Which::Events);
    });
    assert_eq!(fence, Err(CommandError::Interrupted));
}

#[tokio::test]
async fn a_command_connection_that_answers_nothing_is_made_anew() {
    let house = House::with(switch().await, |settings| settings.node.command_timeout_ms = 100);
    house.followed().await;
    let stuck = house.switch.connections();
    house.switch.stall(Which::Commands);
    let silent = soon("its deadline", house.node.api("version")).await;
    assert_eq!(silent, Err(CommandError::Timeout));
    soon("another connection", async {
        loop {
            match house.node.api("uuid_exists x").await {
                Ok(reply) => break assert_eq!(reply, Reply::Printed("false".into())),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert!(house.switch.connections().iter().any(|id| !stuck.contains(id)));
    assert_eq!(house.node.status().connections, 1, "the events were not disturbed");
}

#[tokio::test]
async fn a_reply_that_got_lost_does_not_shift_the_others_for_ever() {
    let house = House::with(switch().await, |settings| settings.node.command_timeout_ms = 100);
    house.followed().await;
    house.switch.answer_garbage("");
    assert_eq!(soon("its deadline", house.node.api("version")).await, Err(CommandError::Timeout));
    soon("an answer that is its own", async {
        loop {
            match house.node.api("uuid_exists x").await {
                Ok(reply) => break assert_eq!(reply, Reply::Printed("false".into())),
                // Those before get the answers that are late, or have no connection for a moment.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(house.node.status().connections, 1, "the events were not disturbed");
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_ends_the_connection_and_is_given_to_nobody() {
    let house = House::new().await;
    house.switch.answer_garbage(
        "Content-Type: api/response\nContent-Length: 5\n\nright\
         Content-Type: api/response\nContent-Length: 5\n\nwrong",
    );
    assert_eq!(printed(&house.node, "version").await, "right");
    soon("an answer that is its own", async {
        loop {
            match house.node.api("uuid_exists x").await {
                Ok(reply) => break assert_eq!(reply, Reply::Printed("false".into())),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_is_too_large_keeps_its_place_in_the_line() {
    let house = House::with(switch().await, |settings| {
        settings.limits.response = 2_000;
        settings.limits.event = 10_000;
    });
    house.followed().await;
    house.switch.api("global_setvar v=1");
    let line = "global_getvar v";
    // Both kinds of reply: of an api command, and of any other.
    house
        .switch
        .answer_garbage(format!("Content-Type: api/response\nContent-Length: 9000\n\n{}", "x".repeat(9_000)));
    let (large, next) = tokio::join!(house.node.api("show channels"), house.node.api(line));
    assert_eq!(large, Ok(Reply::TooLarge { length: 9_000, limit: 2_000 }));
    assert_eq!(next, Ok(Reply::Printed("1".into())));
    house.switch.answer_garbage(format!(
        "Content-Type: command/reply\nReply-Text: +OK\nContent-Length: 90000\n\n{}",
        "x".repeat(90_000)
    ));
    let (large, next) = tokio::join!(house.node.api("show channels"), house.node.api(line));
    assert_eq!(large, Ok(Reply::TooLarge { length: 90_000, limit: 10_000 }));
    assert_eq!(next, Ok(Reply::Printed("1".into())));
}

#[tokio::test]
async fn what_would_be_two_commands_is_not_sent() {
    let house = House::new().await;
    for line in ["version\n\napi shutdown", "version\r", "version\0"] {
        assert!(matches!(house.node.api(line).await, Err(CommandError::Forbidden(_))), "{line:?}");
    }
    assert!(house.switch.commands().iter().all(|seen| !seen.text.contains("shutdown")));
}

#[tokio::test]
async fn an_event_that_was_told_before_a_fence_has_been_applied_after_it() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    for round in 0..50 {
        let word = if round % 2 == 0 { "mute" } else { "unmute" };
        assert_eq!(
            printed(&house.node, &format!("conference daily {word} uuid={ann}")).await,
            format!("+OK {word} 1\n")
        );
        soon("the fence", house.node.fence()).await.unwrap();
        let speaks = house.has("daily", &ann, convened::model::Flag::Speak);
        assert_eq!(speaks, round % 2 == 1, "round {round}");
    }
    let slow = Duration::from_millis(20);
    house.switch.delay_replies(slow);
    soon("all fences", join_all((0..20).map(|_| house.node.fence()))).await;
}
