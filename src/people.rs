//! The commands for people: over the REST API and the websocket, never by the database.
//!
//! * `show`, `list`, `status`: what there is, as tables or as one JSON document;
//! * `act`: mute, kick, lock and their like, with a result for each target;
//! * `watch`: a line for each change; `top`: the whole screen.
//!
//! What others have chosen (names, numbers, answers of a switch) goes through [`crate::client::clean`] before a
//! terminal sees it.

mod act;
mod list;
mod output;
mod show;
mod status;
mod table;
mod top;
mod watch;

use crate::cli::{Failure, PeopleCommand, Remote};
use crate::client::{Api, Places, Trouble, find_token};

/// Does one of them.
///
/// # Errors
/// Says what went wrong, where, and what to do.
pub async fn run(command: PeopleCommand) -> Result<(), Failure> {
    match command {
        PeopleCommand::Status(status) => status::run(status).await,
        PeopleCommand::List(list) => list::run(list).await,
        PeopleCommand::Show(show) => show::run(show).await,
        PeopleCommand::Watch(watch) => watch::run(watch).await,
        PeopleCommand::Top(top) => top::run(top).await,
        PeopleCommand::Mute(on) => act::on_people("mute", on).await,
        PeopleCommand::Unmute(on) => act::on_people("unmute", on).await,
        PeopleCommand::Deaf(on) => act::on_people("deaf", on).await,
        PeopleCommand::Undeaf(on) => act::on_people("undeaf", on).await,
        PeopleCommand::Kick(on) => act::on_people("kick", on).await,
        PeopleCommand::Lock(on) => act::on_conference("lock", on).await,
        PeopleCommand::Unlock(on) => act::on_conference("unlock", on).await,
    }
}

/// An API to ask in the name of an account.
fn api(remote: Remote) -> Result<Api, Failure> {
    let api = perhaps(remote)?;
    if api.token().is_none() {
        return Err(Failure::Config(
            "there is no token: --token-file or CONVENED_TOKEN_FILE names a file with one, or CONVENED_TOKEN has it, \
             or ~/.config/convened/token\n`convened token create` makes one on the daemon's machine"
                .to_owned(),
        ));
    }
    if api.account().is_none() {
        return Err(Failure::Usage(
            "there is no account: --account or CONVENED_ACCOUNT says whose conferences are meant".to_owned(),
        ));
    }
    Ok(api)
}

/// The same where not all of it is needed.
fn perhaps(remote: Remote) -> Result<Api, Failure> {
    let token = find_token(&Places::of_process(remote.token_file)).map_err(Failure::Config)?;
    Ok(Api::new(remote.url, token, remote.account).trusting(remote.ca_file))
}

/// The trouble as the end of a command.
fn told(api: &Api) -> impl Fn(Trouble) -> Failure {
    |trouble| trouble.failure(&api.address().to_string(), api.account())
}
