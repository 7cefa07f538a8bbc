//! Several daemons beside one switch: exactly one takes a call.
//!
//! A claim is a key of mod_hash, which the switch sets for one of them only (mod_hash.c, `hash_insert_ifempty`). It is
//! given back when the dialogue is over; by then the call is marked as over, so that who claims it next leaves it alone.

use super::Inner;
use crate::model::ParkedCall;
use crate::node::Node;

/// The realm of claims in mod_hash.
const CLAIMS: &str = "convened_callin";

impl Inner {
    /// Claims a call among all daemons; one that has the claim already has been here before.
    pub(super) async fn claim(&self, node: &Node, call: &ParkedCall) -> bool {
        // Somebody whom another daemon has let in is that daemon's.
        if call.ticket.as_deref().is_some_and(|ticket| !self.tickets.knows(ticket)) {
            return false;
        }
        let (id, daemon) = (&*call.call_id, &self.parts.daemon);
        let claimed = node.api(&format!("hash insert_ifempty/{CLAIMS}/{id}/{daemon}")).await;
        let why = match claimed.map(|reply| reply.text()) {
            // Another daemon may have been done with it, and have given the claim back, before we came.
            Ok(reply) if reply.starts_with("+OK") => {
                let waits = matches!(node.call(id).await, Ok(Some(now)) if !now.is_over);
                if !waits {
                    self.give_back(node, id).await;
                }
                return waits;
            }
            Ok(reply) if reply.contains("already exists") => {
                let holder = node.api(&format!("hash select/{CLAIMS}/{id}")).await;
                return holder.is_ok_and(|holder| holder.text().trim() == daemon);
            }
            Ok(reply) => reply.trim().to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::error!(
            node = &**node.name(),
            call = id,
            "a call cannot be claimed and is left alone (mod_hash): {why}"
        );
        false
    }

    /// Gives a claim back.
    pub(super) async fn give_back(&self, node: &Node, call: &str) {
        if let Err(error) = node.api(&format!("hash delete/{CLAIMS}/{call}")).await {
            let node = &**node.name();
            tracing::debug!(node, call, "the claim of a call stays until the switch ends: {error}");
        }
    }
}
