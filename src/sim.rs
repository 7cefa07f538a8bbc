//! A FreeSWITCH look-alike for the demo, the tests and the benches.
