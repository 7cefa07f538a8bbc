//! The action `dial`: phones are called into a conference.
//!
//! `PUT /v2/accounts/{A}/conferences/{C}` with `dial` is answered 202 as soon as the switch has begun to call; what
//! becomes of each call is told as a notice.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::actions::refusal;
use super::ledger::{Carried, carry_out};
use super::whose::Found;
use super::{Caller, Context};
use crate::actions::words::{Profile, RoomName, Word};
use crate::actions::{Args, DialOrder, Scope};
use crate::api::{ApiError, Request, Response};
use crate::model::{ActionResult, Outcome, Problem};
use crate::node::Node;
use crate::registry::Conference;
use crate::switchboard::{Destination, Dialled};

/// The word for it.
pub(super) const DIAL: &str = "dial";
/// After so many seconds some calls may have come to their end.
const AGAIN_AFTER: u32 = 5;

pub(super) async fn dial(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
    args: &Map<String, Value>,
) -> Result<Response, ApiError> {
    let order = Args::check(Scope::Conference, DIAL, args, &context.places)?.dial(&context.dialling)?;
    let most = context.dials.most();
    if order.callees.len() > most {
        let message = format!("Value must have at most {most} entries: dial.max_pending allows no more");
        let fields = json!({ "endpoints": { "maxItems": { "message": message, "target": most } } });
        return Err(ApiError::validation(fields.as_object().cloned().unwrap_or_default()));
    }
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = context.find(&caller, request.param("C")?).await?;
        if order.joins_existing() && found.instances.is_empty() {
            return Err(context.not_running(&found.id));
        }
        let node = node_for(&context, &found)?;
        let to = destination(&caller, &found, &order, &node)?;
        let places = context.dials.take(order.callees.len()).ok_or_else(too_many)?;
        let dialled = context.switchboard.dial(&context.dials, places, &node, &to, &order).await;
        Ok(carried(found, dialled))
    })
    .await
}

/// Where the conference runs; if it does not, where it begins.
///
/// As long as it is not known of a node what runs on it, the conference may run there: two of its name would be
/// two conferences.
fn node_for(context: &Context, found: &Found) -> Result<Node, ApiError> {
    let board = &context.switchboard;
    let known = |conference: &&Arc<Conference>| !conference.is_stale();
    if let Some(conference) = found.instances.iter().find(known).or(found.instances.first()) {
        let node = board.nodes().get(&conference.node).filter(|_| known(&conference)).cloned();
        return node.ok_or_else(|| {
            ApiError::switch_unavailable(Map::new())
                .with_data("node", &*conference.node)
                .with_data("reason", Problem::Stale.to_string())
                .retry_after(2)
        });
    }
    if !context.registry.is_complete() {
        return Err(context.not_known(&found.id));
    }
    let none = || {
        ApiError::switch_unavailable(Map::new()).with_data("reason", "no node is connected").retry_after(2)
    };
    board.node_to_begin_on().ok_or_else(none)
}

fn destination(
    caller: &Caller,
    found: &Found,
    order: &DialOrder,
    node: &Node,
) -> Result<Destination, ApiError> {
    let unaddressable = |_| ApiError::switch_error(&**node.name(), Problem::Unaddressable.to_string());
    Ok(Destination {
        room: RoomName::new(&found.id).map_err(unaddressable)?,
        profile: order.profile.clone().or_else(|| profile_of(found)).unwrap_or_default(),
        account: Word::new(caller.account()?.as_str()).map_err(unaddressable)?,
        conference_id: found.id.as_str().into(),
        // The name of a document is nobody else's; any other one is free when the conference has ended.
        only: match &found.document {
            Some(_) => None,
            None => found.instances.iter().find(|it| it.node == *node.name()).cloned(),
        },
    })
}

/// The profile that the document names.
fn profile_of(found: &Found) -> Option<Profile> {
    let body: Value = serde_json::from_str(&found.document.as_ref()?.text).ok()?;
    Profile::new(body.get("profile")?.as_str()?).ok()
}

fn too_many() -> ApiError {
    let reason = "as many calls are under way as dial.max_pending allows";
    ApiError::too_many_requests(AGAIN_AFTER).with_data("reason", reason)
}

fn carried(found: Found, dialled: Vec<Dialled>) -> Carried {
    let data = json!({
        "action": DIAL,
        "conference_id": found.id,
        "results": dialled.iter().map(view).collect::<Vec<_>>(),
    });
    let results: Vec<ActionResult> = dialled.into_iter().map(|dialled| dialled.result).collect();
    let answer = match results.iter().any(|result| result.outcome == Outcome::Dialling) {
        true => Response::ok(&data).map(|answer| answer.with_status(StatusCode::ACCEPTED)),
        false => {
            let worst = results.iter().find(|result| !result.outcome.is_decided()).or(results.first());
            Err(worst.map_or_else(
                || ApiError::internal("nobody was to be called"),
                |worst| refusal(&found, worst, &data),
            ))
        }
    };
    Carried { found, action: DIAL, results, answer }
}

fn view(dialled: &Dialled) -> Value {
    let result = &dialled.result;
    let mut view = json!({
        "endpoint": *dialled.endpoint,
        "id": *dialled.id,
        "call_id": result.call_id.as_deref(),
        "node": *result.node,
        "result": result.outcome.name(),
    });
    if let Some(problem) = &result.problem {
        view["reason"] = problem.to_string().into();
    }
    view
}
