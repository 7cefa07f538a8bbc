//! `convened token`: creates, lists and revokes, beside a running daemon.

use crate::auth::{AccountId, Credential, CredentialKind, Credentials, NewCredential, Scope, Scopes};
use crate::cli::{self, Failure, Printed, TokenCommand, TokenCreate};
use crate::config::Config;
use crate::store::{Clock, StoreError};

use super::database;

/// Does one of the commands.
///
/// # Errors
/// If the database cannot be opened or fails, or an account or token is none.
pub async fn token(config: Config, command: TokenCommand) -> Result<Printed, Failure> {
    let store = database::open_beside(&config).await?;
    let credentials = Credentials::new(store.clone(), Clock::system());
    let printed = match command {
        TokenCommand::Create(create) => self::create(&credentials, create).await,
        TokenCommand::List(list) => self::list(&credentials, list.account.as_deref()).await,
        TokenCommand::Revoke(revoke) => self::revoke(&credentials, &revoke.id).await,
    };
    store.close().await;
    printed
}

async fn create(credentials: &Credentials, create: TokenCreate) -> Result<Printed, Failure> {
    let account = create.account.as_deref().map(account).transpose()?;
    let lifetime = create.expires.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let whose = account.as_ref().map_or("all accounts".to_owned(), |account| format!("account {account}"));
    let scopes: Scopes = create.scope.iter().map(|scope| scope_of(*scope)).collect();
    let new = NewCredential {
        kind: CredentialKind::Token,
        name: create.name.unwrap_or_default(),
        account,
        scopes,
        lifetime,
    };
    let issued = credentials.create(new).await.map_err(failed)?;
    Ok(Printed {
        stdout: issued.secret.expose().to_owned(),
        stderr: format!(
            "token {} for {whose}: {scopes}, {}. It is shown this once.",
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

async fn list(credentials: &Credentials, of: Option<&str>) -> Result<Printed, Failure> {
    let of = of.map(account).transpose()?;
    let mut lines = vec![row(["ID", "KIND", "ACCOUNT", "SCOPES", "STATE", "NAME"])];
    let now = Clock::system().unix_seconds();
    for credential in credentials.list().await.map_err(failed)? {
        if of.is_none() || credential.account == of {
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
    let (kind, scopes) = (credential.kind.as_str(), credential.scopes.to_string());
    row([&credential.id, kind, account, &scopes, &state, &credential.name])
}

fn row(cells: [&str; 6]) -> String {
    let [id, kind, account, scopes, state, name] = cells;
    format!("{id:<10} {kind:<8} {account:<34} {scopes:<20} {state:<12} {name}").trim_end().to_owned()
}

async fn revoke(credentials: &Credentials, id: &str) -> Result<Printed, Failure> {
    if credentials.revoke(id).await.map_err(failed)? {
        let stderr = format!("{id} is revoked; a running daemon refuses it within seconds");
        Ok(Printed { stdout: String::new(), stderr })
    } else {
        Err(Failure::Usage(format!("{id}: there is no such token")))
    }
}

fn failed(error: StoreError) -> Failure {
    anyhow::Error::new(error).context("the database does not do it").into()
}
