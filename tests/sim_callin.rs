//! Call-in as no recording shows it: parked calls, applications sent to them, keys, transfers.
//!
//! "Tried" means: seen on a FreeSWITCH 1.11.3-dev. A function's name means: read there.

#[path = "sim/callin/applications.rs"]
mod applications;
#[path = "sim/callin/digits.rs"]
mod digits;
#[path = "sim/callin/line.rs"]
mod line;
#[path = "sim/callin/moves.rs"]
mod moves;
#[path = "sim/callin/sockets.rs"]
mod sockets;
#[path = "sim/wire.rs"]
mod wire;
