//! `convened token` and `convened key`.

use std::process::Command;

use convened::store::{Exported, Store};

use crate::site::{Site, credential};

/// The line of the list that has this in it.
fn line<'l>(list: &'l str, with: &str) -> &'l str {
    list.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no {with} in:\n{list}"))
}

fn id_of(line: &str) -> &str {
    line.split_whitespace().next().expect("an id")
}

#[test]
fn a_key_is_made_listed_and_revoked_like_a_token_and_apart_from_them() {
    let site = Site::new();
    for (noun, name) in [("token", "dashboard"), ("key", "provisioning")] {
        let made = site.run(&format!("{noun} create --account acme --scope read,write --name {name}"));
        let said = made.err.clone();
        let secret = made.ok();
        assert!(secret.trim_end().len() == 64 && secret.ends_with('\n'), "{secret}");
        assert!(said.contains("read,write") && !said.contains(secret.trim_end()), "{said}");
    }
    let (tokens, keys) = (site.run("token list").ok(), site.run("key list").ok());
    assert_eq!((tokens.lines().count(), keys.lines().count()), (2, 2), "{tokens}{keys}");
    let (token, key) = (id_of(line(&tokens, "dashboard")), id_of(line(&keys, "provisioning")));

    let said = site.run(&format!("token revoke {key}")).failed(2);
    assert!(said.contains("is no token but an API key"), "{said}");
    assert!(said.contains(&format!("convened key revoke {key}")), "{said}");
    let said = site.run(&format!("key revoke {token}")).failed(2);
    assert!(said.contains("is no API key but a token"), "{said}");
    assert!(said.contains(&format!("convened token revoke {token}")), "{said}");
    assert!(site.run("key list").ok().contains(" good "), "nothing is revoked by that");

    let revoked = site.run(&format!("key revoke {key}"));
    assert!(revoked.err.contains("from the next request on"), "{}", revoked.err);
    revoked.ok();
    assert!(line(&site.run("key list").ok(), key).contains(" revoked "));
    assert!(line(&site.run("token list").ok(), token).contains(" good "));
    assert!(site.run("key revoke 000000000000").failed(2).contains("there is no such API key"));
    assert_eq!(site.run("key list --account other").ok().lines().count(), 1);
}

#[test]
fn a_name_that_would_not_fit_into_a_line_is_refused_and_nothing_is_made() {
    let site = Site::new();
    let create = |noun: &str, name: &str| {
        let mut command: Command = site.command(&format!("{noun} create --superuser"));
        command.arg("--name").arg(name);
        crate::site::ended(command.spawn().expect("it starts"))
    };
    let long = "\u{fc}".repeat(129);
    for name in ["two\nlines", "\u{1b}[31mred", "\u{7f}", "\u{85}", "\u{2028}", "\u{202e}abc", &long] {
        for noun in ["token", "key"] {
            let said = create(noun, name).failed(2);
            assert!(said.starts_with("convened: --name: a name has "), "{said}");
        }
    }
    assert!(!site.database().exists(), "nothing was opened");
    create("key", &long[2..]).ok();
    create("key", "K\u{fc}che \u{1f373}, \"2nd\"").ok();
    assert_eq!(site.run("key list").ok().lines().count(), 3);
}

#[tokio::test]
async fn a_list_has_a_line_for_each_and_tells_when_it_was_used() {
    let site = Site::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    let now = i64::try_from(now).expect("a time");
    let mut batch = Vec::new();
    let ages =
        [(None, "never"), (Some(30), "just now"), (Some(3_000), "50 min ago"), (Some(400_000), "4 days ago")];
    for (n, (age, _)) in (1..).zip(ages) {
        let Exported::Credential(mut one) = credential(n, None) else { panic!("a credential") };
        one.last_used = age.map(|age| now - age);
        one.name = format!("old\n\u{1b}[2J\u{2028}name {n}");
        batch.push(Exported::Credential(one));
    }
    site.keep(&batch).await;
    let list = site.run("key list").ok();
    assert_eq!(list.lines().count(), 5, "{list}");
    assert!(!list.contains(|c: char| c.is_control() && c != '\n'), "{list:?}");
    for (n, (_, told)) in (1..).zip(ages) {
        assert!(line(&list, &format!("name {n}")).contains(told), "{list}");
    }
    let store = site.store().await;
    store.note_credentials_used(&[(format!("{:012x}", 1), now - 10_000)]).await.expect("noted");
    assert!(line(&site.run("key list").ok(), "name 1").contains("2 h ago"));
}
