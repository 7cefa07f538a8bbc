//! The Event Socket protocol as bytes: frames, events, commands. Does no I/O, knows no conference.
