//! `relate`: one participant is kept from hearing another.
//!
//! * `PUT /v2/accounts/{A}/conferences/{C}/participants` with the action `relate`, as Kazoo has it.

use std::sync::Arc;

use super::actions::{answer, running, told, would_do};
use super::ledger::{Carried, carry_out};
use super::whose::Found;
use super::{Caller, Context};
use crate::api::{ApiError, Request, Response};
use crate::model::Relation;
use crate::registry::{Conference, Participant};

/// The word for it.
pub(super) const RELATE: &str = "relate";

pub(super) async fn on_two(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
    relation: Relation,
    dry_run: bool,
) -> Result<Response, ApiError> {
    if dry_run {
        let found = running(&context, &caller, &request).await?;
        let (conference, [first, other]) = both(&context, &found, relation)?;
        let result = context.switchboard.would_relate(&conference, &first, &other);
        return would_do(&found, RELATE, &[result]);
    }
    carry_out(context, caller, request, move |context, caller, request| async move {
        let found = running(&context, &caller, &request).await?;
        let (conference, [first, other]) = both(&context, &found, relation)?;
        let related = context.switchboard.relate(&conference, &first, &other, relation.relationship).await;
        let results = vec![related.result];
        let answer = match related.missing {
            Some(call_id) => Err(ApiError::not_found(&*call_id)
                .with_data("results", told(&found, RELATE, &results)["results"].clone())),
            None => answer(&found, RELATE, &results, true),
        };
        Ok(Carried { found, action: RELATE, results, answer })
    })
    .await
}

/// The two, and the one instance that both are in.
///
/// # Errors
/// 404 if one of them is not there, 503 if that is not known; 400 if they are on different nodes, or if several
/// nodes have two of these numbers: nobody is to be hit by a guess.
fn both(
    context: &Context,
    found: &Found,
    relation: Relation,
) -> Result<(Arc<Conference>, [Arc<Participant>; 2]), ApiError> {
    let (first, other) = (relation.participant_id, relation.other_participant);
    let mut pairs = found.instances.iter().filter_map(|conference| {
        let pair = [conference.by_member_id(first)?, conference.by_member_id(other)?];
        Some((conference.clone(), pair))
    });
    match (pairs.next(), pairs.next()) {
        (Some(pair), None) => return Ok(pair),
        (Some(_), Some(_)) => {
            let reason = format!("participants {first} and {other} are on several nodes");
            return Err(ApiError::invalid_request(reason));
        }
        (None, _) => {}
    }
    let is_anywhere =
        |id: u32| found.instances.iter().any(|conference| conference.by_member_id(id).is_some());
    match [first, other].into_iter().find(|id| !is_anywhere(*id)) {
        Some(id) if context.registry.is_complete() => Err(ApiError::not_found(id.to_string())),
        Some(id) => Err(context.not_known(&id.to_string())),
        None => {
            let reason = format!("participants {first} and {other} are not on the same node");
            Err(ApiError::invalid_request(reason))
        }
    }
}
