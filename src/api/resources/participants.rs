//! Who is in a conference.
//!
//! * `GET /v2/accounts/{A}/conferences/{C}/participants`: all of them.
//! * `GET /v2/accounts/{A}/conferences/{C}/participants/{P}`: one, by participant id or call id;
//!   `?by=call_id` takes digits as a call id too.

use std::sync::Arc;

use http::Method;

use super::view::{Realtime, with_sequence};
use super::whose::Found;
use super::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::model::Moment;
use crate::registry::{Conference, Participant};

pub(super) const ALL: &str = "/v2/accounts/{A}/conferences/{C}/participants";
pub(super) const ONE: &str = "/v2/accounts/{A}/conferences/{C}/participants/{P}";

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::GET, ALL, "list_participants", Access::Read, list),
        Route::new(Method::GET, ONE, "get_participant", Access::Read, get),
    ]
}

async fn list(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let found = context.find(&caller, request.param("C")?).await?;
    if found.instances.is_empty() && !context.registry.is_complete() {
        return Err(context.not_running(&found.id));
    }
    let now = Moment::now();
    let realtime = Realtime::of(&found.instances, now);
    let response = Response::ok(&realtime.participants(&context, now))?;
    Ok(with_sequence(response, &realtime.sequence))
}

async fn get(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let found = context.find(&caller, request.param("C")?).await?;
    let sequence = Realtime::of(&found.instances, Moment::now()).sequence;
    let (conference, participant) = one(&context, &found, &request)?;
    let response = Response::ok(&context.participant_view(&conference, &participant))?;
    Ok(with_sequence(response, &sequence))
}

/// The participant of the path.
///
/// # Errors
/// 404 if there is none, 503 if that is not known, 400 if several nodes have one of that number: nobody
/// is to be hit by a guess.
pub(super) fn one(
    context: &Context,
    found: &Found,
    request: &Request,
) -> Result<(Arc<Conference>, Arc<Participant>), ApiError> {
    let wanted = request.param("P")?;
    if found.instances.is_empty() {
        return Err(context.not_running(&found.id));
    }
    let by_call = || {
        let mut instances = found.instances.iter();
        instances.find_map(|conference| Some((conference.clone(), conference.by_call_id(wanted)?)))
    };
    let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit());
    let number =
        wanted.parse::<u32>().ok().filter(|_| is_number && request.query().get("by") != Some("call_id"));
    if let Some(number) = number {
        let instances = found.instances.iter();
        let mut numbered =
            instances.filter_map(|conference| Some((conference.clone(), conference.by_member_id(number)?)));
        match (numbered.next(), numbered.next()) {
            (Some(_), Some(_)) => {
                let reason = format!("participant {number} is on several nodes: use the call id");
                return Err(ApiError::invalid_request(reason));
            }
            (Some(found), None) => return Ok(found),
            (None, _) => {}
        }
    }
    by_call().ok_or_else(|| match context.registry.is_complete() {
        true => ApiError::not_found(wanted),
        false => context.not_known(wanted),
    })
}
