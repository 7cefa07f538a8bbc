//! Actions: what is asked of the switch, answered when it has been seen.
//!
//! * `PUT /v2/accounts/{A}/conferences/{C}`: lock, unlock.
//! * `PUT /v2/accounts/{A}/conferences/{C}/participants`: mute, unmute, deaf, undeaf (all but moderators),
//!   kick (everyone).
//! * `PUT /v2/accounts/{A}/conferences/{C}/participants/{P}`: the same for one.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::ledger::{Carried, carry_out};
use super::participants::{ALL, ONE as PARTICIPANT, one};
use super::view::{Realtime, with_sequence};
use super::whose::Found;
use super::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::model::{ActionResult, ConferenceAction, Moment, Outcome, ParticipantAction, Problem};

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
    let action = named(&ConferenceAction::ALL, &request.action()?, |action| action.name())?;
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let results = context.switchboard.conference(&found.instances, action).await;
        let is_single = results.len() == 1;
        Ok(carried(found, action.name(), results, is_single))
    })
    .await
}

async fn on_participants(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let action = named(&ParticipantAction::ALL, &request.action()?, |action| action.name())?;
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let results = context.switchboard.participants(&found.instances, action).await;
        Ok(carried(found, action.name(), results, false))
    })
    .await
}

async fn on_participant(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let action = named(&ParticipantAction::ALL, &request.action()?, |action| action.name())?;
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let (conference, participant) = one(&context, &found, &request)?;
        let result = context.switchboard.participant(&conference, &participant, action).await;
        Ok(carried(found, action.name(), vec![result], true))
    })
    .await
}

/// The action of that name.
fn named<A: Copy>(all: &[A], name: &str, name_of: impl Fn(A) -> &'static str) -> Result<A, ApiError> {
    all.iter().copied().find(|action| name_of(*action) == name).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|action| name_of(*action)).collect();
        ApiError::invalid_request(format!("unknown action: {name:?}; known here: {}", known.join(", ")))
    })
}

/// The conference of the path, which must run.
async fn running(context: &Context, caller: &Caller, request: &Request) -> Result<Found, ApiError> {
    let found = context.find(caller, request.param("C")?).await?;
    if found.instances.is_empty() { Err(context.not_running(&found.id)) } else { Ok(found) }
}

/// What was done, with its answer.
fn carried(found: Found, action: &'static str, results: Vec<ActionResult>, is_single: bool) -> Carried {
    let answer = answer(&found, action, &results, is_single);
    Carried { found, action, results, answer }
}

/// The results, or for a single target that was not done, an error that says why.
fn answer(found: &Found, action: &str, results: &[ActionResult], single: bool) -> Result<Response, ApiError> {
    let decided = results.iter().any(|result| result.outcome.is_decided() && !is_whole_failure(result));
    let data = json!({
        "action": action,
        "conference_id": found.id,
        "results": results.iter().map(view).collect::<Vec<_>>(),
    });
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

fn view(result: &ActionResult) -> Value {
    let mut view = json!({
        "participant_id": result.participant_id,
        "call_id": result.call_id.as_deref(),
        "node": *result.node,
        "result": result.outcome.name(),
    });
    if let Some(problem) = &result.problem {
        view["reason"] = problem.to_string().into();
    }
    view
}

fn refusal(found: &Found, result: &ActionResult, data: &Value) -> ApiError {
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
