//! A node against a simulated switch that comes, goes, loses events and misbehaves.

#[path = "node_stories/commands.rs"]
mod commands;
#[path = "node_stories/figures.rs"]
mod figures;
#[path = "node_stories/following.rs"]
mod following;
#[path = "node_stories/lists.rs"]
mod lists;
#[path = "node_stories/lost_events.rs"]
mod lost_events;
#[path = "node_stories/outages.rs"]
mod outages;
#[path = "node_stories/pulses.rs"]
mod pulses;
mod support;
#[path = "node_stories/trouble.rs"]
mod trouble;
