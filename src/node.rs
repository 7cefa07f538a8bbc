//! One FreeSWITCH: connect, authenticate, subscribe, list, follow, reconnect.
