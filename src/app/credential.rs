//! `convened token` and `convened key`: create, list and revoke, beside a running daemon.

use crate::auth::{AccountId, Credential, CredentialKind, Credentials, NewCredential, Scope, Scopes};
use crate::cli::{self, CredentialCommand, CredentialCreate, Failure, Printed};
use crate::config::Config;
use crate::store::{Clock, StoreError};

use super::database;

/// The longest name, in characters: one that fits into a line of a list.
const LONGEST_NAME: usize = 128;

/// Does one of the commands with credentials of this kind.
///
/// # Errors
/// If the database cannot be opened or fails, or an account, name or id is none.
pub async fn credential(
    config: Config,
    kind: CredentialKind,
    command: CredentialCommand,
) -> Result<Printed, Failure> {
    if let CredentialCommand::Create(create) = &command {
        // Before anything is opened, which may make a file.
        name_fits(create.name.as_deref().unwrap_or_default())?;
    }
    let store = database::open_beside(&config).await?;
    let credentials = Credentials::new(store.clone(), Clock::system());
    let printed = match command {
        CredentialCommand::Create(create) => self::create(&credentials, kind, create).await,
        CredentialCommand::List(list) => self::list(&credentials, kind, list.account.as_deref()).await,
        CredentialCommand::Revoke(revoke) => self::revoke(&credentials, kind, &revoke.id).await,
    };
    store.close().await;
    printed
}

/// For people.
fn noun(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "token",
        CredentialKind::ApiKey => "API key",
    }
}

fn with_article(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "a token",
        CredentialKind::ApiKey => "an API key",
    }
}

/// As in `convened token`.
fn command(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "token",
        CredentialKind::ApiKey => "key",
    }
}

fn name_fits(name: &str) -> Result<(), Failure> {
    let wrong = if name.chars().any(breaks_a_line) {
        "a name has no control characters"
    } else if name.chars().count() > LONGEST_NAME {
        "a name has at most 128 characters"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("--name: {wrong}")))
}

/// Also what ends a line or turns its direction by Unicode's rules.
fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

async fn create(
    credentials: &Credentials,
    kind: CredentialKind,
    create: CredentialCreate,
) -> Result<Printed, Failure> {
    let account = create.account.as_deref().map(account).transpose()?;
    let lifetime = create.expires.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let whose = account.as_ref().map_or("all accounts".to_owned(), |account| format!("account {account}"));
    let scopes: Scopes = create.scope.iter().map(|scope| scope_of(*scope)).collect();
    let name = create.name.unwrap_or_default();
    let new = NewCredential { kind, name, account, scopes, lifetime };
    let issued = credentials.create(new).await.map_err(failed)?;
    Ok(Printed {
        stdout: issued.secret.expose().to_owned(),
        stderr: format!(
            "{} {} for {whose}: {scopes}, {}. It is shown this once.",
            noun(kind),
            issued.credential.id,
            lifetime.map_or("until it is revoked".into(), |seconds| format!("for {seconds} seconds"))
        ),
    })
}

fn scope_of(scope: cli::Scope) -> Scope {
    match scope {
        cli::Scope::Read => Scope::Read,
        cli::Scope::Control => Scope::Control,
        cli::Scope::Write => Scope::Write,
    }
}

fn account(text: &str) -> Result<AccountId, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("--account {text}: {error}")))
}

async fn list(credentials: &Credentials, kind: CredentialKind, of: Option<&str>) -> Result<Printed, Failure> {
    let of = of.map(account).transpose()?;
    let mut lines = vec![row(["ID", "ACCOUNT", "SCOPES", "STATE", "LAST USED", "NAME"])];
    let now = Clock::system().unix_seconds();
    for credential in credentials.list().await.map_err(failed)? {
        if credential.kind == kind && (of.is_none() || credential.account == of) {
            lines.push(line(&credential, now));
        }
    }
    Ok(Printed { stdout: lines.join("\n"), stderr: String::new() })
}

fn line(credential: &Credential, now: i64) -> String {
    let state = match (credential.revoked, credential.expires) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(expires)) if expires <= now => "expired".to_owned(),
        (None, Some(expires)) => format!("{} h left", (expires - now) / 3_600),
        (None, None) => "good".to_owned(),
    };
    let account = credential.account.as_ref().map_or("*", AccountId::as_str);
    let scopes = credential.scopes.to_string();
    // Not every name was looked at when it was given.
    let mut name = String::with_capacity(credential.name.len());
    for c in credential.name.chars() {
        if breaks_a_line(c) { name.extend(c.escape_default()) } else { name.push(c) }
    }
    row([&credential.id, account, &scopes, &state, &last_used(credential.last_used, now), &name])
}

/// Roughly: uses are noted once a minute.
fn last_used(when: Option<i64>, now: i64) -> String {
    let Some(when) = when else { return "never".to_owned() };
    match (now - when).max(0) / 60 {
        0..2 => "just now".to_owned(),
        minutes @ 2..120 => format!("{minutes} min ago"),
        minutes @ 120..2_880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1_440),
    }
}

fn row(cells: [&str; 6]) -> String {
    let [id, account, scopes, state, used, name] = cells;
    format!("{id:<12} {account:<34} {scopes:<20} {state:<12} {used:<13} {name}").trim_end().to_owned()
}

async fn revoke(credentials: &Credentials, kind: CredentialKind, id: &str) -> Result<Printed, Failure> {
    let all = credentials.list().await.map_err(failed)?;
    let Some(found) = all.iter().find(|credential| credential.id == id) else {
        return Err(Failure::Usage(format!("{id}: there is no such {}", noun(kind))));
    };
    if found.kind != kind {
        let (wanted, is, command) = (noun(kind), with_article(found.kind), command(found.kind));
        let text = format!("{id}: is no {wanted} but {is}; to revoke it: convened {command} revoke {id}");
        return Err(Failure::Usage(text));
    }
    if !credentials.revoke(id).await.map_err(failed)? {
        // It went since: what comes from keys is forgotten in the end.
        return Err(Failure::Usage(format!("{id}: there is no such {}", noun(kind))));
    }
    let and_its = match kind {
        CredentialKind::Token => "",
        CredentialKind::ApiKey => ", and so is every token that came from it",
    };
    let stderr = format!("{id} is revoked: from the next request on it is refused{and_its}");
    Ok(Printed { stdout: String::new(), stderr })
}

fn failed(error: StoreError) -> Failure {
    anyhow::Error::new(error).context("the database does not do it").into()
}
