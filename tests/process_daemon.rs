//! The program itself: started, asked, stopped, killed, and started again.

#[path = "support/rest.rs"]
mod client;
#[path = "rest/demo.rs"]
mod demo;
#[path = "faults/machine.rs"]
mod faults;
#[path = "rest/ledger.rs"]
mod ledger;
#[path = "rest/logs.rs"]
mod logs;
#[path = "rest/long_lists.rs"]
mod long_lists;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "rest/process.rs"]
mod process;
#[path = "rest/restarts.rs"]
mod restarts;
#[path = "rest/service.rs"]
mod service;
#[path = "rest/shared.rs"]
mod shared;
#[path = "rest/starts.rs"]
mod starts;
#[path = "rest/stops.rs"]
mod stops;
#[path = "rest/systemd.rs"]
mod systemd;
