//! Actions: what is asked of the switch, answered when it has been seen.
//!
//! * `PUT /v2/accounts/{A}/conferences/{C}`: lock, unlock and what else is for a conference as a whole.
//! * `PUT /v2/accounts/{A}/conferences/{C}/participants`: mute, unmute, deaf, undeaf (all but moderators),
//!   kick (everyone), or whoever is selected; relate (two of them: `relate`).
//! * `PUT /v2/accounts/{A}/conferences/{C}/participants/{P}`: for one.
//!
//! Which actions there are and what arguments they take is said by `crate::actions`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::dial::{DIAL, dial};
use super::ledger::{Carried, carry_out};
use super::participants::{ALL, ONE as PARTICIPANT, one};
use super::relate;
use super::view::{Realtime, with_sequence};
use super::whose::Found;
use super::{Caller, Context};
use crate::actions::{Args, Asker, Scope, Unfit, participants_selection, schema};
use crate::api::{Access, ApiError, Request, Response, Route, parse_data};
use crate::json as text;
use crate::model::{ActionResult, ConferenceAction, Moment, Outcome, Problem, Record};
use crate::registry::Conference;

const CONFERENCE: &str = "/v2/accounts/{A}/conferences/{C}";

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::PUT, CONFERENCE, "act_on_conference", Access::Control, on_conference),
        Route::new(Method::PUT, ALL, "act_on_participants", Access::Control, on_participants),
        Route::new(Method::PUT, PARTICIPANT, "act_on_participant", Access::Control, on_participant),
    ]
}

async fn on_conference(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, args) = asked(&request, Scope::Conference)?;
    if name == DIAL {
        return dial(context, caller, request, &args).await;
    }
    let action = Args::check(Scope::Conference, &name, &args, &context.places)?;
    let action = action.conference(&name, &asker(&caller)?)?;
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        refuse_shared_file(&context, &found, &action)?;
        let name = action.name();
        let results = context.switchboard.conference(&found.instances, action).await;
        let is_single = results.len() == 1;
        Ok(carried(found, name, results, is_single))
    })
    .await
}

async fn on_participants(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, args) = asked(&request, Scope::Participants)?;
    let action = Args::check(Scope::Participants, &name, &args, &context.places)?;
    let (selection, dry_run) = participants_selection(&args);
    if name == relate::RELATE {
        let relation = action.relation()?;
        return relate::on_two(context, caller, request, relation, dry_run).await;
    }
    let action = action.participant(&name, "", &asker(&caller)?)?;
    if dry_run {
        let found = running(&context, &caller, &request).await?;
        let results = context.switchboard.would_be(&found.instances, &action, selection.as_ref());
        return would_do(&found, action.name(), &results);
    }
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let name = action.name();
        let asked = action.clone();
        let results = context.switchboard.participants(&found.instances, action, selection.as_ref()).await;
        context.waiting.was_told(&found.id, &asked, &results);
        Ok(carried(found, name, results, false))
    })
    .await
}

async fn on_participant(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, args) = asked(&request, Scope::Participant)?;
    let args_checked = Args::check(Scope::Participant, &name, &args, &context.places)?;
    let to = args.get("to").and_then(Value::as_str).filter(|_| name == "transfer").map(str::to_owned);
    let profile = match &to {
        Some(to) => profile_of(&context, &caller, to, request.param("C")?).await?,
        None => String::new(),
    };
    let action = args_checked.participant(&name, &profile, &asker(&caller)?)?;
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let (conference, participant) = one(&context, &found, &request)?;
        if let Some(to) = &to {
            is_at_hand(&context, &caller, to, &conference).await?;
        }
        let name = action.name();
        let asked = action.clone();
        let result = context.switchboard.participant(&conference, &participant, action).await;
        context.waiting.was_told(&found.id, &asked, std::slice::from_ref(&result));
        Ok(carried(found, name, vec![result], true))
    })
    .await
}

/// FreeSWITCH looks only within a conference whether a file is recorded to already (conference_api.c,
/// `conference_api_sub_record`); two that write one file spoil it.
fn refuse_shared_file(context: &Context, found: &Found, action: &ConferenceAction) -> Result<(), ApiError> {
    let ConferenceAction::Record(Record::Start { file: Some(file), .. }) = action else { return Ok(()) };
    let is_other = |other: &Arc<Conference>| !found.instances.iter().any(|own| Arc::ptr_eq(own, other));
    let is_taken = |other: &Arc<Conference>| other.recordings().iter().any(|it| *it.path == *file.path());
    if !context.registry.conferences().iter().any(|other| is_taken(other) && is_other(other)) {
        return Ok(());
    }
    let message = "Another conference is recorded to this file";
    let fields = json!({ "file": { "unique": { "message": message, "value": file.path() } } });
    Err(ApiError::validation(fields.as_object().cloned().unwrap_or_default()))
}

/// Who asks: the name goes with what he ends and whom he kicks, the account with what he records.
fn asker(caller: &Caller) -> Result<Asker<'_>, ApiError> {
    let principal = caller.principal.as_ref().ok_or_else(ApiError::invalid_credentials)?;
    // A token without a name is known by its id.
    let name = if principal.name.is_empty() { &principal.token_id } else { &principal.name };
    Ok(Asker { name, account: caller.account()?.as_str() })
}

/// The action's name and its arguments. Beside the name in `data` only what the action knows counts: clients send
/// more there. In an object of their own they are taken at their word.
fn asked(request: &Request, scope: Scope) -> Result<(String, Map<String, Value>), ApiError> {
    let action = request.action(|name| schema(scope, name).is_some())?;
    let Some(envelope) = request.envelope().filter(|envelope| envelope.has_data()) else {
        return Ok((action, Map::new()));
    };
    // Text, until it is known which of it is of any interest.
    let data = envelope.data_as::<BTreeMap<String, Box<RawValue>>>()?;
    if let Some(own) = data.get("data").filter(|own| own.get().starts_with('{')) {
        return Ok((action, parse_data(own)?));
    }
    let known = schema(scope, &action).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let mut args = Map::new();
    for key in known.into_iter().flatten().map(|(key, _)| key) {
        if let Some(raw) = data.get(key) {
            let unreadable = |error| ApiError::invalid_request(format!("`{key}` {error}"));
            args.insert(key.clone(), text::parse(raw.get().as_bytes()).map_err(unreadable)?);
        }
    }
    Ok((action, args))
}

/// The profile of another conference of the same account, which somebody is to go to.
async fn profile_of(context: &Context, caller: &Caller, to: &str, from: &str) -> Result<String, ApiError> {
    if to == from {
        return Err(not_there(to, "Value must be another conference"));
    }
    let found = of_this_account(context, caller, to).await?;
    let profile = found.document.as_ref().and_then(|document| {
        let body: Value = serde_json::from_str(&document.text).ok()?;
        Some(body.get("profile")?.as_str()?.to_owned())
    });
    Ok(profile.filter(|profile| !profile.is_empty()).unwrap_or_else(|| "default".to_owned()))
}

/// A conference that somebody is to go to is on the node where he is. One with a document may begin there; of any
/// other name another account may have one on that node, and what begins there would be nobody's.
async fn is_at_hand(context: &Context, caller: &Caller, to: &str, from: &Conference) -> Result<(), ApiError> {
    let found = of_this_account(context, caller, to).await?;
    match found.document.is_some() || found.instances.iter().any(|there| there.node == from.node) {
        true => Ok(()),
        false => Err(not_there(to, "Value must be a conference on the node of the participant")),
    }
}

async fn of_this_account(context: &Context, caller: &Caller, to: &str) -> Result<Found, ApiError> {
    context.find(caller, to).await.map_err(|error| match error.status() {
        http::StatusCode::NOT_FOUND => not_there(to, "Value must be a conference of this account"),
        _ => error,
    })
}

fn not_there(to: &str, why: &str) -> ApiError {
    let mut fields = Map::new();
    fields.insert("to".into(), json!({ "conference": { "message": why, "value": to } }));
    ApiError::validation(fields)
}

impl From<Unfit> for ApiError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            unknown @ Unfit::Unknown { .. } => Self::invalid_request(unknown.to_string()),
            Unfit::Invalid(errors) => match errors.to_value() {
                Value::Object(fields) => Self::validation(fields),
                _ => Self::internal("field errors are an object"),
            },
        }
    }
}

/// The conference of the path, which must run.
pub(super) async fn running(
    context: &Context,
    caller: &Caller,
    request: &Request,
) -> Result<Found, ApiError> {
    let found = context.find(caller, request.param("C")?).await?;
    if found.instances.is_empty() { Err(context.not_running(&found.id)) } else { Ok(found) }
}

/// What was done, with its answer.
fn carried(found: Found, action: &'static str, results: Vec<ActionResult>, is_single: bool) -> Carried {
    let answer = answer(&found, action, &results, is_single);
    Carried { found, action, results, answer }
}

/// The results, or for a single target that was not done, an error that says why.
pub(super) fn answer(
    found: &Found,
    action: &str,
    results: &[ActionResult],
    single: bool,
) -> Result<Response, ApiError> {
    let decided = results.iter().any(|result| result.outcome.is_decided() && !is_whole_failure(result));
    let data = told(found, action, results);
    if let Some(first) = results.first()
        && ((single && !first.outcome.is_success()) || (!single && !decided))
    {
        let worst = results.iter().find(|result| !result.outcome.is_decided()).unwrap_or(first);
        return Err(refusal(found, worst, &data));
    }
    let sequence = Realtime::of(&found.instances, Moment::now()).sequence;
    Ok(with_sequence(Response::ok(&data)?, &sequence))
}

/// Whether a command for several did not come to any of them.
fn is_whole_failure(result: &ActionResult) -> bool {
    result.participant_id.is_none() && result.problem.is_some()
}

/// What would be done. Where that is not known it is the same error as if it were to be done.
pub(super) fn would_do(found: &Found, action: &str, results: &[ActionResult]) -> Result<Response, ApiError> {
    let mut data = told(found, action, results);
    if let Some(first) = results.first().filter(|_| results.iter().all(|result| result.problem.is_some())) {
        return Err(refusal(found, first, &data));
    }
    data["dry_run"] = true.into();
    Response::ok(&data)
}

pub(super) fn told(found: &Found, action: &str, results: &[ActionResult]) -> Value {
    json!({
        "action": action,
        "conference_id": found.id,
        "results": results.iter().map(view).collect::<Vec<_>>(),
    })
}

fn view(result: &ActionResult) -> Value {
    let mut view = json!({
        "participant_id": result.participant_id,
        "call_id": result.call_id.as_deref(),
        "node": *result.node,
        "result": result.outcome.name(),
    });
    if let Some(other) = result.other_participant {
        view["other_participant"] = other.into();
    }
    if let Some(problem) = &result.problem {
        view["reason"] = problem.to_string().into();
    }
    if let Some(file) = &result.file {
        view["file"] = (**file).into();
    }
    view
}

pub(super) fn refusal(found: &Found, result: &ActionResult, data: &Value) -> ApiError {
    let error = match (&result.problem, result.outcome) {
        (Some(Problem::Unavailable), _) => {
            ApiError::switch_unavailable(Map::new()).with_data("node", &*result.node).retry_after(2)
        }
        (Some(problem @ Problem::Stale), _) => ApiError::switch_unavailable(Map::new())
            .with_data("node", &*result.node)
            .with_data("reason", problem.to_string())
            .retry_after(2),
        (Some(problem @ Problem::NotSeen(_)), _) => ApiError::switch_timeout(Map::new())
            .with_data("node", &*result.node)
            .with_data("reason", problem.to_string()),
        (Some(Problem::Refused(reply)), _) => ApiError::switch_error(&*result.node, reply.as_str()),
        (Some(Problem::Unaddressable), _) => ApiError::switch_error(&*result.node, "unaddressable"),
        (None, Outcome::NotFound) => match &result.call_id {
            Some(call_id) => ApiError::not_found(&**call_id),
            None => ApiError::not_running(found.id.as_str()),
        },
        (None, _) => ApiError::internal("an action without success and without a problem"),
    };
    error.with_data("results", data["results"].clone())
}
