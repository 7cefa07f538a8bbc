//! The rules by which events and lists become state, each as a story made by hand.

#[path = "registry_rules/accounts.rs"]
mod accounts;
#[path = "registry_rules/leaving.rs"]
mod leaving;
#[path = "registry_rules/lists.rs"]
mod lists;
#[path = "registry_rules/members.rs"]
mod members;
#[path = "registry_rules/orders.rs"]
mod orders;
#[path = "registry_rules/outages.rs"]
mod outages;
#[path = "registry_rules/recordings.rs"]
mod recordings;
#[path = "registry_rules/rooms.rs"]
mod rooms;
#[path = "registry_rules/story.rs"]
mod story;
mod support;
