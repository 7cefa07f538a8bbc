//! Who is in which conference, now.
