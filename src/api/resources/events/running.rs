//! What runs of an account, and how it is shown to somebody who begins.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::ApiError;
use crate::api::resources::{Caller, Context};
use crate::model::Moment;
use crate::registry::Conference;

/// So often a snapshot is begun anew because something changed meanwhile. What has changed in the last one is told
/// once more by the events behind it, with the whole state of whom it happened to.
const TRIES: usize = 16;

/// The instances of a conference, or of all conferences of the caller's account.
pub(super) async fn instances(
    context: &Context,
    caller: &Caller,
    conference: Option<&str>,
) -> Result<Vec<Arc<Conference>>, ApiError> {
    match conference {
        Some(id) => match context.find(caller, id).await {
            Ok(found) => Ok(found.instances),
            // It may come to be.
            Err(error) if error.status() == http::StatusCode::NOT_FOUND => Ok(Vec::new()),
            // Nor is it known whether it runs: it is told when it is.
            Err(error) if error.message() == "switch_unavailable" => Ok(Vec::new()),
            Err(error) => Err(error),
        },
        None => context.running_of(caller).await,
    }
}

/// A conference at one moment: `data` of a snapshot, and the number of the last change that is in it. `instances` are
/// all of its name: whatever else is known of it has ended.
pub(super) fn snapshot(context: &Context, conference: &Arc<Conference>, instances: &[&str]) -> (Value, u64) {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = conference.change_number();
        let participants = conference.participants();
        let data = json!({
            "conference_id": *conference.name,
            "instance_id": *conference.instance,
            "instances": instances,
            "seq": before,
            "focus": *conference.node,
            "is_locked": conference.is_locked(),
            "duration": Moment::now().unix_ms.saturating_sub(conference.began_unix_ms) / 1_000,
            "recordings": context.recordings_view(&conference.recordings()),
            "participants": participants
                .iter()
                .map(|participant| context.participant_view(conference, participant))
                .collect::<Vec<_>>(),
        });
        if conference.change_number() == before || tries >= TRIES {
            return (data, before);
        }
    }
}

/// A conference of which none is known to run; whether it runs, is known if all nodes are.
pub(super) fn nothing(context: &Context, conference: &str) -> Value {
    let complete = context.registry.is_complete();
    json!({ "conference_id": conference, "instance_id": null, "seq": 0, "participants": [], "complete": complete })
}
